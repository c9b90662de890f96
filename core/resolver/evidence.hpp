// Reasons in words: why a candidate is not in a selection, and why pins contradict each other. Internal to
// the resolver.
#pragma once

#include "core/resolver/model.hpp"
#include "core/resolver/solve.hpp"

#include <optional>
#include <unordered_map>

namespace belay::resolver {

// What keeps a candidate out of a selection.
struct Blocker {
  std::string_view code;
  std::string detail;
  Index winner = kNone;  // the selected candidate that is in the way
};

class Evidence {
 public:
  // `selected` is ascending.
  Evidence(const Model& model, const std::vector<Index>& selected, bool optimal);

  [[nodiscard]] bool selected(Index candidate) const { return in_[candidate]; }
  [[nodiscard]] Blocker why_not(Index candidate) const { return why_not(candidate, 0); }
  // "plugin", or "plugin 1.2.0" when there are several versions.
  [[nodiscard]] std::string name(Index candidate) const;

 private:
  [[nodiscard]] Blocker why_not(Index candidate, int depth) const;
  [[nodiscard]] std::optional<Blocker> other_version(Index candidate) const;
  [[nodiscard]] std::optional<Blocker> unmet_need(Index candidate, bool hopeless_only, int depth) const;
  [[nodiscard]] std::optional<Blocker> conflict(Index candidate) const;
  [[nodiscard]] std::optional<Blocker> taken_slot(Index candidate) const;
  [[nodiscard]] Blocker not_worth_it(Index candidate) const;
  [[nodiscard]] bool stands_before(const Blocker& a, const Blocker& b) const;
  // Higher priority, then lower id, then newer version.
  [[nodiscard]] bool outranks(Index a, Index b) const;
  [[nodiscard]] std::int32_t priority(Index candidate) const {
    return model_.problem.candidates[candidate].priority;
  }

  const Model& model_;
  const bool optimal_;
  std::vector<bool> in_;
  std::vector<Index> holder_;                           // of each slot
  std::vector<std::vector<std::size_t>> conflicts_of_;  // numbers of conflicts with selected candidates
  std::unordered_map<std::string_view, std::vector<Index>> versions_;
};

// The statements that cannot hold together, in one line.
[[nodiscard]] std::string contradiction_text(const Model& model, const std::vector<Reason>& reasons);

}  // namespace belay::resolver
