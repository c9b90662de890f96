// The resolver's problem without names from manifests: integers, sets and an order of preference. Plain data,
// any thread. Which candidates exist, what excludes what, and what is better; solve.hpp finds the best
// selection.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace belay::resolver {

// A place in Problem::candidates.
using Index = std::uint32_t;
inline constexpr Index kNone = ~Index{0};

// Wide enough for Σ priority + λ Σ gain: 2^32 terms of 31 bits times a λ of 63 bits.
__extension__ typedef __int128 Int128;

struct Candidate {
  std::string id;            // candidates of one id are versions of it: at most one is selected
  std::int32_t version = 0;  // rank among the candidates of this id, higher is newer
  std::int32_t priority = 0;
  std::vector<Index> slots;                 // any numbers; at most one candidate of a slot is selected
  std::vector<std::vector<Index>> clauses;  // when this one is selected, one of each clause must be, too
};

// Its gain counts when every group has a selected member. An ordinary synergy has one candidate in each
// group.
struct Synergy {
  std::vector<std::vector<Index>> groups;
  std::int32_t gain = 0;  // permille, not negative
};

enum class Mode {
  kLeximax,   // priorities first, synergies decide among equals
  kWeighted,  // Σ priority + λ Σ gain
};

// What is better, in this order:
//  1. kLeximax: the list of priorities >= 0 in descending order; the larger first difference wins, then the
//  longer list;
//     then fewer candidates of negative priority; then the larger sum of gains.
//     kWeighted: the larger Σ priority + λ Σ gain.
//  2. for ids in ascending order the higher version, where an absent id is below every version. Two
//  selections of one size
//     that differ in ids are thereby ordered by their sorted lists of ids, the smaller one first.
struct Problem {
  std::vector<Candidate> candidates;
  std::vector<std::pair<Index, Index>> conflicts;
  std::vector<Synergy> synergies;
  std::vector<Index> pins;  // must be selected
  std::vector<Index> bans;  // must not be
  Mode mode = Mode::kLeximax;
  std::int64_t lambda = 1;  // >= 0
  std::int64_t node_budget =
      200'000;  // branch nodes for each component; never a clock, so that results repeat
};

// What a selection is worth, apart from versions and ids.
struct Objective {
  std::vector<std::int32_t> priorities;  // those >= 0, descending
  std::int64_t negatives = 0;            // how many selected candidates have a negative priority
  std::int64_t synergy = 0;              // Σ gain
  Int128 weight = 0;                     // kWeighted: Σ priority + λ Σ gain; else 0

  friend bool operator==(const Objective&, const Objective&) = default;
};

// Greater is better.
[[nodiscard]] std::strong_ordering compare(const Objective& a, const Objective& b, Mode mode);
// Of the candidates `selected`, which must be feasible.
[[nodiscard]] Objective evaluate(const Problem& problem, const std::vector<Index>& selected);

}  // namespace belay::resolver
