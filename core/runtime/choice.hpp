// From the usable plugins of a registry to those that are chosen: the resolver, asked about them and about
// Belay's own optimizations.
#pragma once

#include "core/registry/registry.hpp"
#include "core/resolver/explain.hpp"
#include "core/resolver/resolve.hpp"

#include <vector>

namespace belay::runtime {

[[nodiscard]] Result<resolver::Resolution> choose(const hardware::Profile& profile,
                                                  const registry::Registry& registry,
                                                  const resolver::Policy& policy);

// Why each candidate was chosen or not.
[[nodiscard]] Result<std::vector<resolver::Explanation>> explain_choice(const hardware::Profile& profile,
                                                                        const registry::Registry& registry,
                                                                        const resolver::Policy& policy);

// The manifests of the chosen plugins, best first; the registry owns them.
[[nodiscard]] std::vector<const manifest::Manifest*> selected_manifests(
    const registry::Registry& registry, const resolver::Resolution& resolution);

}  // namespace belay::runtime
