// Random problems for the resolver's tests. Everything follows from the numbers that the source gives.
#pragma once

#include "core/resolver/problem.hpp"

#include <functional>
#include <random>

namespace belay::resolver::test {

// A number in [0, limit).
using Dice = std::function<Index(Index limit)>;

[[nodiscard]] inline Dice seeded(std::uint64_t seed) {
  return [generator = std::mt19937_64(seed)](Index limit) mutable {
    return static_cast<Index>(generator() % limit);
  };
}

// At most `max_n` candidates with a bit of everything: versions, slots, clauses of 0 to 3 literals,
// conflicts, synergies of 2 or 3 groups, pins, bans, 1 to 6 priorities of which some may be negative, both
// modes.
[[nodiscard]] Problem small_problem(const Dice& dice, Index max_n);

// `n` candidates in families of 5 to a slot, 50 priorities, and `edges` each of random conflicts,
// requirements and synergies.
[[nodiscard]] Problem families(const Dice& dice, Index n, Index edges);

// The same problem with its candidates and all lists in another order; `moved[i]` is where candidate i went.
struct Shuffled {
  Problem problem;
  std::vector<Index> moved;
};
[[nodiscard]] Shuffled shuffle(const Problem& problem, const Dice& dice);

// Without candidate `gone`; the numbers behind it move up by one.
[[nodiscard]] Problem without(const Problem& problem, Index gone);

}  // namespace belay::resolver::test
