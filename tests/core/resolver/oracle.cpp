#include "tests/core/resolver/oracle.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>

namespace belay::resolver::test {
namespace {

bool any_in(const std::vector<Index>& members, const Selection& in) {
  return std::ranges::any_of(members, [&](Index member) { return in[member]; });
}

struct Worth {
  std::vector<std::int64_t> priorities;
  std::int64_t minus_negatives = 0;
  Int128 total = 0;  // gains, or the weighted sum
  // Absent is -1, below every version.
  std::map<std::string, std::int64_t> versions;
};

Worth worth(const Problem& problem, const Selection& in) {
  Worth worth;
  Int128 sum = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const Candidate& candidate = problem.candidates[i];
    auto& version = worth.versions.try_emplace(candidate.id, -1).first->second;
    if (!in[i]) continue;
    version = std::max<std::int64_t>(version, candidate.version);
    sum += candidate.priority;
    if (candidate.priority >= 0) {
      worth.priorities.push_back(candidate.priority);
    } else {
      --worth.minus_negatives;
    }
  }
  std::ranges::sort(worth.priorities, std::greater{});
  for (const Synergy& synergy : problem.synergies) {
    if (std::ranges::all_of(synergy.groups, [&](const auto& group) { return any_in(group, in); })) {
      worth.total += synergy.gain;
    }
  }
  if (problem.mode == Mode::kWeighted) {
    worth.total = sum + problem.lambda * worth.total;
    worth.priorities.clear();
    worth.minus_negatives = 0;
  }
  return worth;
}

}  // namespace

Selection to_selection(const Problem& problem, const std::vector<Index>& selected) {
  Selection in(problem.candidates.size());
  for (const Index index : selected) in[index] = true;
  return in;
}

bool feasible(const Problem& problem, const Selection& in) {
  std::set<Index> taken_slots;
  std::set<std::string> taken_ids;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (!in[i]) continue;
    const Candidate& candidate = problem.candidates[i];
    if (!taken_ids.insert(candidate.id).second) return false;
    for (const Index slot : std::set(candidate.slots.begin(), candidate.slots.end())) {
      if (!taken_slots.insert(slot).second) return false;
    }
    for (const std::vector<Index>& clause : candidate.clauses) {
      if (!any_in(clause, in)) return false;
    }
  }
  return std::ranges::all_of(problem.pins, [&](Index pin) { return in[pin]; }) &&
         std::ranges::none_of(problem.bans, [&](Index ban) { return in[ban]; }) &&
         std::ranges::none_of(problem.conflicts,
                              [&](const auto& pair) { return in[pair.first] && in[pair.second]; });
}

bool better(const Problem& problem, const Selection& a, const Selection& b) {
  const Worth x = worth(problem, a);
  const Worth y = worth(problem, b);
  if (x.priorities != y.priorities) return x.priorities > y.priorities;
  if (x.minus_negatives != y.minus_negatives) return x.minus_negatives > y.minus_negatives;
  if (x.total != y.total) return x.total > y.total;
  auto other = y.versions.begin();
  for (const auto& [id, version] : x.versions) {
    if (version != other->second) return version > other->second;
    ++other;
  }
  return false;
}

std::optional<Selection> brute_force(const Problem& problem) {
  std::optional<Selection> best;
  const std::size_t n = problem.candidates.size();
  for (std::size_t set = 0; set < std::size_t{1} << n; ++set) {
    Selection in(n);
    for (std::size_t i = 0; i < n; ++i) in[i] = ((set >> i) & 1U) != 0;
    if (feasible(problem, in) && (!best || better(problem, in, *best))) best = in;
  }
  return best;
}

}  // namespace belay::resolver::test
