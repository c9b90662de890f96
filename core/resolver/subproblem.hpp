// The part of a problem that one candidate can influence. Internal to the resolver.
#pragma once

#include "core/resolver/problem.hpp"

namespace belay::resolver {

// Candidates in groups that no conflict, slot, id, clause or synergy joins.
class Parts {
 public:
  explicit Parts(const Problem& problem);

  // The members of the candidate's group, ascending.
  [[nodiscard]] std::vector<Index> with(Index candidate);

 private:
  Index root(Index candidate);
  void join(Index a, Index b);

  std::vector<Index> parent_;
};

// The problem of these candidates alone, a union of groups; candidate members[i] becomes candidate i.
[[nodiscard]] Problem restrict_to(const Problem& problem, const std::vector<Index>& members);

}  // namespace belay::resolver
