// From a solution back to names. Internal to the resolver.
#pragma once

#include "core/resolver/evidence.hpp"
#include "core/resolver/resolve.hpp"

namespace belay::resolver {

// The problem's best selection; kUsage when the pins contradict each other, kGeneral when the budget ended
// before an answer.
[[nodiscard]] Result<Solution> solve_model(const Model& model);
// Ascending indices, as everywhere.
[[nodiscard]] Worth worth_of(const Model& model, const std::vector<Index>& selected);

}  // namespace belay::resolver
