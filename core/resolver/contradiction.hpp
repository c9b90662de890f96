// Why the pins of a problem cannot be met. Internal to the resolver.
#pragma once

#include "core/resolver/solve.hpp"

namespace belay::resolver {

// Of an unsatisfiable problem: a set of pins, bans, clauses, conflicts and slots that cannot hold together,
// from which every part was tried to be left out (at most a few hundred trials).
[[nodiscard]] std::vector<Reason> minimal_contradiction(const Problem& problem);

}  // namespace belay::resolver
