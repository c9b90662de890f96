#include "core/resolver/problem.hpp"

#include <algorithm>
#include <functional>

namespace belay::resolver {
namespace {

bool complete(const Synergy& synergy, const std::vector<bool>& in) {
  return std::ranges::all_of(synergy.groups, [&](const std::vector<Index>& group) {
    return std::ranges::any_of(group, [&](Index member) { return in[member]; });
  });
}

}  // namespace

std::strong_ordering compare(const Objective& a, const Objective& b, Mode mode) {
  if (mode == Mode::kWeighted) {
    if (a.weight == b.weight) return std::strong_ordering::equal;
    return a.weight < b.weight ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  if (a.priorities != b.priorities) return a.priorities <=> b.priorities;
  if (a.negatives != b.negatives) return b.negatives <=> a.negatives;
  return a.synergy <=> b.synergy;
}

Objective evaluate(const Problem& problem, const std::vector<Index>& selected) {
  Objective objective;
  std::vector<bool> in(problem.candidates.size());
  Int128 sum = 0;
  for (const Index index : selected) {
    const std::int32_t priority = problem.candidates[index].priority;
    in[index] = true;
    sum += priority;
    if (priority >= 0) {
      objective.priorities.push_back(priority);
    } else {
      ++objective.negatives;
    }
  }
  std::ranges::sort(objective.priorities, std::greater{});
  for (const Synergy& synergy : problem.synergies) {
    if (complete(synergy, in)) objective.synergy += synergy.gain;
  }
  if (problem.mode == Mode::kWeighted) objective.weight = sum + Int128{problem.lambda} * objective.synergy;
  return objective;
}

}  // namespace belay::resolver
