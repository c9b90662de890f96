// The best selection of a Problem: exact, deterministic, independent of the order in which the problem is
// written down. Pure; any thread. Filter, unit propagation, dominance, components, branch and bound in each
// (see README.md).
#pragma once

#include "core/resolver/problem.hpp"

namespace belay::resolver {

enum class Outcome {
  kOptimal,  // proved
  kBounded,  // feasible, but a component's node budget ended before the proof; `upper` bounds what was missed
  kUnsatisfiable,  // proved: the pins cannot all be met; `contradiction` says why
  kUnknown,        // the budget ended before any selection with the pins was found
};

// One part of a contradiction.
struct Reason {
  enum class Kind {
    kPin,       // a is pinned
    kBan,       // a is banned
    kClause,    // a needs one of its clause number `row`
    kConflict,  // a conflicts with b
    kSlot,      // a slot, number `row`, has one place
    kSameId,    // candidates with the id of a exclude each other
  };
  Kind kind = Kind::kPin;
  Index a = kNone;
  Index b = kNone;
  Index row = kNone;

  friend bool operator==(const Reason&, const Reason&) = default;
};

struct Solution {
  Outcome outcome = Outcome::kOptimal;
  std::vector<Index> selected;  // ascending
  Objective objective;
  Objective upper;         // nothing is worth more; equals `objective` when optimal
  std::int64_t nodes = 0;  // branch nodes, all components together
  // Without any one of these parts the rest can be met, as far as a few hundred trials could show.
  std::vector<Reason> contradiction;
};

// Indices must lie within the problem; gains and lambda must not be negative.
[[nodiscard]] Solution solve(const Problem& problem);

// Whether all pins can be met at all, whatever the objective; `selected` is some such selection.
[[nodiscard]] Solution find_any(const Problem& problem);

}  // namespace belay::resolver
