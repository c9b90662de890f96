#include "core/resolver/subproblem.hpp"

#include <numeric>
#include <string_view>
#include <unordered_map>

namespace belay::resolver {

Parts::Parts(const Problem& problem) : parent_(problem.candidates.size()) {
  std::iota(parent_.begin(), parent_.end(), Index{0});
  std::unordered_map<std::string_view, Index> ids;
  std::unordered_map<Index, Index> slots;
  for (Index i = 0; i < problem.candidates.size(); ++i) {
    const Candidate& candidate = problem.candidates[i];
    join(i, ids.try_emplace(candidate.id, i).first->second);
    for (const Index slot : candidate.slots) join(i, slots.try_emplace(slot, i).first->second);
    for (const std::vector<Index>& clause : candidate.clauses) {
      for (const Index literal : clause) join(i, literal);
    }
  }
  for (const auto& [a, b] : problem.conflicts) join(a, b);
  for (const Synergy& synergy : problem.synergies) {
    for (const std::vector<Index>& group : synergy.groups) {
      for (const Index member : group) join(member, synergy.groups.front().front());
    }
  }
}

std::vector<Index> Parts::with(Index candidate) {
  std::vector<Index> members;
  for (Index i = 0; i < parent_.size(); ++i) {
    if (root(i) == root(candidate)) members.push_back(i);
  }
  return members;
}

Index Parts::root(Index candidate) {
  while (parent_[candidate] != candidate) {
    parent_[candidate] = parent_[parent_[candidate]];
    candidate = parent_[candidate];
  }
  return candidate;
}

void Parts::join(Index a, Index b) { parent_[root(a)] = root(b); }

Problem restrict_to(const Problem& problem, const std::vector<Index>& members) {
  std::vector<Index> place(problem.candidates.size(), kNone);
  for (Index i = 0; i < members.size(); ++i) place[members[i]] = i;
  const auto moved = [&](const std::vector<Index>& candidates) {
    std::vector<Index> local;
    for (const Index candidate : candidates) {
      if (place[candidate] != kNone) local.push_back(place[candidate]);
    }
    return local;
  };
  Problem part;
  part.mode = problem.mode;
  part.lambda = problem.lambda;
  part.node_budget = problem.node_budget;
  for (const Index member : members) {
    part.candidates.push_back(problem.candidates[member]);
    for (std::vector<Index>& clause : part.candidates.back().clauses) clause = moved(clause);
  }
  for (const auto& [a, b] : problem.conflicts) {
    if (place[a] != kNone) part.conflicts.emplace_back(place[a], place[b]);
  }
  for (const Synergy& synergy : problem.synergies) {
    if (place[synergy.groups.front().front()] == kNone) continue;
    Synergy local{{}, synergy.gain};
    for (const std::vector<Index>& group : synergy.groups) local.groups.push_back(moved(group));
    part.synergies.push_back(std::move(local));
  }
  part.pins = moved(problem.pins);
  part.bans = moved(problem.bans);
  return part;
}

}  // namespace belay::resolver
