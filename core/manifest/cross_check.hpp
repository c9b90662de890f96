// What only shows when all manifests lie side by side. Pure; independent of the machine.
#pragma once

#include "core/manifest/manifest.hpp"
#include "core/manifest/refusal.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace belay::manifest {

struct CrossFinding {
  std::size_t index = 0;  // which of the manifests
  char severity = 'W';    // P: excluded, W: see the message
  std::string reason;     // AMBIGUOUS, or COPY, or GAIN
  std::string message;
};

// In the order of the manifests.
//  P AMBIGUOUS  for every manifest of one id and version whose libraries are not known to be equal by their
//  sha256 W COPY       for each but the first of one id, version and sha256: it may be left out W GAIN for a
//  synergy whose other side declares a lower gain, which counts
[[nodiscard]] std::vector<CrossFinding> cross_check(std::span<const Manifest> manifests);

// The P findings only.
[[nodiscard]] std::vector<Refusal> ambiguous(std::span<const Manifest> manifests);

}  // namespace belay::manifest
