// Does this machine have what a manifest requires? Decided from the manifest and the hardware profile alone,
// before any library is opened. A fact that the profile does not know satisfies nothing.
#pragma once

#include "core/hardware/profile.hpp"
#include "core/manifest/manifest.hpp"
#include "core/manifest/refusal.hpp"

#include <optional>
#include <vector>

namespace belay::manifest {

// Every requirement that is not met, the most basic first; empty when the plugin fits. The detail of each is
// a sentence with the evidence, such as "this CPU lacks avx2, fma".
[[nodiscard]] std::vector<Refusal> unmet(const Manifest& manifest, const hardware::Profile& profile);

// Of an optimization: its host memory. Named by its full id.
[[nodiscard]] std::vector<Refusal> unmet(const Manifest& plugin, const Optimization& optimization,
                                         const hardware::Profile& profile);

// A reason code and its evidence, without the id.
struct Shortfall {
  std::string_view reason;
  std::string detail;
};

// The part about GPUs (requirement_gpu.cpp).
[[nodiscard]] std::optional<Shortfall> missing_gpu(const GpuRequirement& needed,
                                                   const hardware::Profile& profile);

}  // namespace belay::manifest
