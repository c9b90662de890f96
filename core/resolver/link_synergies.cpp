#include "core/base/format.hpp"
#include "core/resolver/link.hpp"

#include <algorithm>
#include <map>

namespace belay::resolver {
namespace {

using Groups = std::vector<std::vector<Index>>;

// A name of several versions makes one synergy for each of them, so that declarations from both sides can be
// told to be the same. Beyond this many, the versions stay together in one group.
constexpr std::size_t kMaxCombinations = 256;

class SynergyLinker {
 public:
  SynergyLinker(const Names& names, Model& model) : names_(names), model_(model) {}

  void link(Index entry, const manifest::Synergy& synergy) {
    Groups groups = {{entry}};
    for (const std::string& name : synergy.with) {
      groups.push_back(names_.by_any_name(name));
      std::erase_if(groups.back(),
                    [&](Index other) { return model_.entries[other].id == model_.entries[entry].id; });
      if (groups.back().empty()) return;  // can never be complete
      members_ += groups.back().size();
    }
    const std::int64_t gain = std::clamp<std::int64_t>(synergy.gain_permille, 0, 9000);
    for (Groups& combination : combinations(groups))
      keep_lower(std::move(combination), static_cast<std::int32_t>(gain));
  }

  [[nodiscard]] bool too_many() const { return members_ > kMaxRelations; }

  // What both sides declare counts once, with the lower gain.
  void finish() {
    for (auto& [groups, gain] : found_) model_.problem.synergies.push_back({groups, gain});
  }

 private:
  [[nodiscard]] bool versions_of_one(const std::vector<Index>& group) const {
    const std::string& id = model_.entries[group.front()].id;
    return std::ranges::all_of(group, [&](Index entry) { return model_.entries[entry].id == id; });
  }

  [[nodiscard]] std::vector<Groups> combinations(const Groups& groups) const {
    std::vector<Groups> all = {{}};
    for (const std::vector<Index>& group : groups) {
      Groups alternatives = {group};
      if (versions_of_one(group) && all.size() * group.size() <= kMaxCombinations) {
        alternatives.clear();
        for (const Index member : group) alternatives.push_back({member});
      }
      std::vector<Groups> longer;
      for (const Groups& begun : all) {
        for (const std::vector<Index>& alternative : alternatives) {
          longer.push_back(begun);
          longer.back().push_back(alternative);
        }
      }
      all = std::move(longer);
    }
    return all;
  }

  void keep_lower(Groups groups, std::int32_t gain) {
    std::ranges::sort(groups);
    const auto [place, added] = found_.try_emplace(std::move(groups), gain);
    if (!added) place->second = std::min(place->second, gain);
  }

  const Names& names_;
  Model& model_;
  std::map<Groups, std::int32_t> found_;
  std::size_t members_ = 0;  // of all groups
};

}  // namespace

Status link_synergies(const Names& names, Model& model) {
  SynergyLinker linker(names, model);
  for (Index entry = 0; entry < model.entries.size(); ++entry) {
    const Entry& e = model.entries[entry];
    for (const manifest::Synergy& synergy :
         e.optimization == nullptr ? e.plugin->synergies : e.optimization->synergies) {
      linker.link(entry, synergy);
      if (linker.too_many()) {
        return fail(ErrorCode::kUsage,
                    "the manifests' synergies name more than {} candidates; remove plugin folders, or name "
                    "the plugins to "
                    "use with --plugins",
                    kMaxRelations);
      }
    }
  }
  linker.finish();
  return {};
}

}  // namespace belay::resolver
