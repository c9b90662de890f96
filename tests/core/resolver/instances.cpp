#include "tests/core/resolver/instances.hpp"

#include <algorithm>
#include <numeric>
#include <string>

namespace belay::resolver::test {
namespace {

std::vector<Index> some(const Dice& dice, Index n, Index count) {
  std::vector<Index> members;
  for (Index i = 0; i < count; ++i) members.push_back(dice(n));
  return members;
}

void add_candidates(Problem& problem, const Dice& dice, Index n) {
  const Index tiers = 1 + dice(6);
  const std::int32_t lowest = dice(2) == 0 ? 0 : -2;
  const bool versions = dice(3) == 0;
  const bool slots = dice(2) == 0;
  for (Index i = 0; i < n; ++i) {
    Candidate candidate;
    const bool another_version = versions && i > 0 && dice(3) == 0;
    candidate.id = another_version ? problem.candidates[i - 1].id
                                   : std::string(1, static_cast<char>('a' + (i * 7) % 26));
    candidate.version = another_version ? problem.candidates[i - 1].version + 1 : 0;
    candidate.priority = lowest + static_cast<std::int32_t>(dice(tiers));
    if (slots) candidate.slots = some(dice, 3, dice(3));
    problem.candidates.push_back(std::move(candidate));
  }
}

}  // namespace

Problem small_problem(const Dice& dice, Index max_n) {
  Problem problem;
  const Index n = 1 + dice(max_n);
  add_candidates(problem, dice, n);
  for (Index count = dice(n + 1); count > 0; --count) problem.conflicts.emplace_back(dice(n), dice(n));
  for (Index count = dice(n + 1); count > 0; --count) {
    const Index size = dice(12) == 0 ? 0 : 1 + dice(3);
    problem.candidates[dice(n)].clauses.push_back(some(dice, n, size));
  }
  for (Index count = dice(n + 1); count > 0; --count) {
    Synergy synergy;
    synergy.gain = 1 + static_cast<std::int32_t>(dice(3));
    for (Index groups = 2 + dice(2); groups > 0; --groups) {
      synergy.groups.push_back(some(dice, n, dice(5) == 0 ? 2 : 1));
    }
    problem.synergies.push_back(std::move(synergy));
  }
  if (dice(3) == 0) problem.pins = some(dice, n, 1 + dice(2));
  if (dice(4) == 0) problem.bans = some(dice, n, 1);
  if (dice(3) == 0) problem.mode = Mode::kWeighted;
  problem.lambda = dice(3);
  return problem;
}

Problem families(const Dice& dice, Index n, Index edges) {
  Problem problem;
  for (Index i = 0; i < n; ++i) {
    Candidate candidate;
    candidate.id = "plugin" + std::to_string(1'000'000 + i);
    candidate.priority = static_cast<std::int32_t>(dice(50)) * 10;
    candidate.slots = {i / 5};
    problem.candidates.push_back(std::move(candidate));
  }
  for (Index i = 0; i < edges; ++i) {
    problem.conflicts.emplace_back(dice(n), dice(n));
    problem.candidates[dice(n)].clauses.push_back({dice(n)});
    problem.synergies.push_back({{{dice(n)}, {dice(n)}}, 1 + static_cast<std::int32_t>(dice(500))});
  }
  return problem;
}

Shuffled shuffle(const Problem& problem, const Dice& dice) {
  const auto n = static_cast<Index>(problem.candidates.size());
  const auto mix = [&](auto& values) {
    for (std::size_t i = values.size(); i > 1; --i)
      std::swap(values[i - 1], values[dice(static_cast<Index>(i))]);
  };
  std::vector<Index> moved(n);
  std::iota(moved.begin(), moved.end(), Index{0});
  mix(moved);
  Shuffled result{problem, moved};
  const auto move_all = [&](std::vector<Index>& members) {
    for (Index& member : members) member = moved[member];
    mix(members);
  };
  Problem& p = result.problem;
  for (Index i = 0; i < n; ++i) {
    Candidate candidate = problem.candidates[i];
    for (std::vector<Index>& clause : candidate.clauses) move_all(clause);
    mix(candidate.clauses);
    mix(candidate.slots);
    for (Index& slot : candidate.slots) slot = 1000 - slot;
    p.candidates[moved[i]] = std::move(candidate);
  }
  for (auto& [a, b] : p.conflicts) {
    a = moved[a];
    b = moved[b];
    if (dice(2) == 0) std::swap(a, b);
  }
  mix(p.conflicts);
  for (Synergy& synergy : p.synergies) {
    for (std::vector<Index>& group : synergy.groups) move_all(group);
    mix(synergy.groups);
  }
  mix(p.synergies);
  move_all(p.pins);
  move_all(p.bans);
  return result;
}

Problem without(const Problem& problem, Index gone) {
  Problem rest = problem;
  const auto remove = [&](std::vector<Index>& members) {
    std::erase(members, gone);
    for (Index& member : members) member -= member > gone ? 1 : 0;
  };
  rest.candidates.erase(rest.candidates.begin() + gone);
  for (Candidate& candidate : rest.candidates) {
    for (std::vector<Index>& clause : candidate.clauses) remove(clause);
  }
  std::erase_if(rest.conflicts, [&](const auto& pair) { return pair.first == gone || pair.second == gone; });
  for (auto& [a, b] : rest.conflicts) {
    a -= a > gone ? 1 : 0;
    b -= b > gone ? 1 : 0;
  }
  for (Synergy& synergy : rest.synergies) {
    for (std::vector<Index>& group : synergy.groups) remove(group);
  }
  remove(rest.pins);
  remove(rest.bans);
  return rest;
}

}  // namespace belay::resolver::test
