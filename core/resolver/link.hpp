// Turns what entries say about each other by name into relations between their numbers. Internal to the
// resolver.
#pragma once

#include "core/resolver/model.hpp"

#include <unordered_map>

namespace belay::resolver {

// Names of entries. A bare optimization name in a conflict or synergy means that of any plugin.
class Names {
 public:
  explicit Names(const std::vector<Entry>& entries);

  using Found = std::span<const Index>;
  [[nodiscard]] Found by_id(std::string_view id) const { return find(by_id_, id); }
  [[nodiscard]] Found by_slot(std::string_view name) const { return find(by_slot_, name); }
  [[nodiscard]] Found by_op(std::string_view op) const { return find(by_op_, op); }
  // A plugin id, a full optimization id, or a bare one.
  [[nodiscard]] std::vector<Index> by_any_name(std::string_view name) const;
  // "slot:name", "provides:op", or one of the above.
  [[nodiscard]] std::vector<Index> by_target(std::string_view target) const;

 private:
  using Table = std::unordered_map<std::string_view, std::vector<Index>>;
  static Found find(const Table& table, std::string_view key);

  Table by_id_, by_bare_, by_slot_, by_op_;
};

// Conflicts, and members of synergies, that one machine's manifests may declare: far above what any real set
// of plugins does, far below what would exhaust the memory.
inline constexpr std::size_t kMaxRelations = 4'000'000;

// Each fills its part of model.problem and the words that belong to it.
void link_needs(const Inputs& inputs, const Names& names, Model& model);
void link_slots(const Inputs& inputs, Model& model);
// kUsage when there are more than kMaxRelations.
[[nodiscard]] Status link_conflicts(const Names& names, Model& model);
[[nodiscard]] Status link_synergies(const Names& names, Model& model);

}  // namespace belay::resolver
