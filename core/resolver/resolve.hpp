// Which plugins and optimizations go together on this machine: manifests and policy in, the best selection
// out, with a reason for everything that is not in it. Pure and deterministic; any thread. The order of the
// manifests changes nothing.
#pragma once

#include "core/base/status.hpp"
#include "core/hardware/profile.hpp"
#include "core/manifest/manifest.hpp"
#include "core/manifest/refusal.hpp"
#include "core/resolver/policy.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace belay::resolver {

struct Choice {
  std::string id;             // full
  std::int32_t priority = 0;  // after overrides
  // Places in the manifests that were given and in that manifest's optimizations. No manifest for an
  // optimization that is not from one, no optimization for a plugin.
  std::optional<std::size_t> manifest;
  std::optional<std::size_t> optimization;
};

// What a selection is worth. The built-in optimizations of `core` are left out: they come with every
// selection.
struct Worth {
  std::vector<std::int32_t> priorities;  // those >= 0, descending
  std::int64_t negatives = 0;            // selected with a negative priority
  std::int64_t synergy_permille = 0;     // Σ (gain * 1000 - 1000)

  friend bool operator==(const Worth&, const Worth&) = default;
};

struct Resolution {
  std::vector<Choice> selected;       // plugins, priority descending, then id; without `core`
  std::vector<Choice> optimizations;  // in the order in which they apply: priority descending, then id
  std::vector<Refusal> refused;       // those that were given, then this room's by id
  Worth objective;
  bool optimal = true;  // false: the search budget ended before the proof
};

[[nodiscard]] std::vector<std::string> ids_of(std::span<const Choice> choices);

// `manifests` are those still standing: whoever was refused earlier is only in `already_refused`, whose
// entries are handed on and serve as evidence ("needs x, which is refused (CPU_FEATURE: ...)"). A manifest
// with the id `core` brings the optimizations of Belay itself. kUsage when the policy names what is not
// there, or pins what cannot be selected; the message names the smallest set of statements that contradict
// each other.
[[nodiscard]] Result<Resolution> resolve(const hardware::Profile& profile,
                                         std::span<const manifest::Manifest> manifests,
                                         std::span<const Refusal> already_refused, const Policy& policy);

}  // namespace belay::resolver
