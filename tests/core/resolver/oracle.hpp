// What the resolver must find, computed the slow and obvious way: every subset, straight from the definition.
#pragma once

#include "core/resolver/problem.hpp"

#include <optional>
#include <vector>

namespace belay::resolver::test {

using Selection = std::vector<bool>;

[[nodiscard]] Selection to_selection(const Problem& problem, const std::vector<Index>& selected);
[[nodiscard]] bool feasible(const Problem& problem, const Selection& in);
// Whether a is better than b by the definition in problem.hpp.
[[nodiscard]] bool better(const Problem& problem, const Selection& a, const Selection& b);
// Over all 2^n subsets.
[[nodiscard]] std::optional<Selection> brute_force(const Problem& problem);

}  // namespace belay::resolver::test
