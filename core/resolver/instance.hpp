// A problem in the form that the search works on: flat lists over variables 0..n-1. Variables stand in the
// order of preference (id ascending, newer version first), so that "prefer the lower variable" is the last
// word between equals. Built once, then read only. Internal to the resolver.
#pragma once

#include "core/resolver/problem.hpp"

#include <span>

namespace belay::resolver {

// Rows of numbers, one behind the other.
struct Lists {
  std::vector<Index> start{0};
  std::vector<Index> items;

  [[nodiscard]] std::span<const Index> operator[](Index row) const {
    return std::span(items).subspan(start[row], start[row + 1] - start[row]);
  }
  [[nodiscard]] Index rows() const { return static_cast<Index>(start.size() - 1); }
  void push(std::span<const Index> row);
};

// For each of `n` items the rows that hold it.
[[nodiscard]] Lists invert(const Lists& lists, Index n);

struct Clause {
  Index owner = kNone;  // needed when this variable is in; kNone: always
  std::vector<Index> literals;
};

struct Rules {
  Mode mode = Mode::kLeximax;
  std::int64_t lambda = 1;
};

// What build() starts from; in any order, with any repetition.
struct Relations {
  std::vector<std::int32_t> priority;  // of each variable
  std::vector<std::pair<Index, Index>> conflicts;
  std::vector<std::vector<Index>> slots;  // members
  std::vector<Clause> clauses;
  std::vector<Synergy> synergies;
};

struct Instance {
  Rules rules;
  Index n = 0;
  std::vector<std::int32_t> priority;
  // Priorities in descending order, without repetition. In kLeximax only those >= 0: all negative ones are
  // equal, and their tier is the one behind the last.
  std::vector<std::int32_t> tiers;
  std::vector<Index> tier;
  std::vector<Index> order;  // variables by (tier, number)
  Lists neighbours;          // by conflicts
  Lists members, slots_of;   // members by (tier, number)
  Lists literals, clauses_with, owned;
  std::vector<Index> owner;
  Lists group_members, groups_of;
  std::vector<Index> synergy_of;  // of each group
  Lists groups;                   // of each synergy
  std::vector<std::int32_t> gain;

  [[nodiscard]] bool negative_tier(Index variable) const { return tier[variable] == tiers.size(); }
};

// Independent of the order and repetition of what it is given.
[[nodiscard]] Instance build(Relations relations, const Rules& rules);

}  // namespace belay::resolver
