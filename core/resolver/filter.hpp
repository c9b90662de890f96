// Which plugins and optimizations the policy admits at all. Internal to the resolver.
#pragma once

#include "core/resolver/model.hpp"

namespace belay::resolver {

// Fills model.entries, and model.refused with those that the policy, the level, a measured budget or the
// machine excludes.
void admit(const Inputs& inputs, Model& model);

}  // namespace belay::resolver
