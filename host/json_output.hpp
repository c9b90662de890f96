// The JSON that other programs rely on, piece by piece. Fields may be added, never renamed. Unknown is null.
#pragma once

#include "core/base/json.hpp"
#include "core/dispatch/failure.hpp"
#include "core/hardware/profile.hpp"
#include "core/manifest/refusal.hpp"
#include "core/monitoring/pressure.hpp"
#include "core/runtime/plan.hpp"

#include <span>

namespace belay::host {

[[nodiscard]] Json to_json(const Error& error);
[[nodiscard]] Json to_json(const hardware::Profile& profile);
[[nodiscard]] Json to_json(std::span<const Refusal> refused);
[[nodiscard]] Json to_json(std::span<const dispatch::Fallback> fallbacks);
[[nodiscard]] Json to_json(std::span<const runtime::Placement> placement);

[[nodiscard]] Json to_json(const monitoring::Pressure& pressure);

// "tok_per_s" of a benchmark
struct Spread {
  double min = 0;
  double median = 0;
  double max = 0;
};
[[nodiscard]] Spread spread(std::vector<double> values);
[[nodiscard]] Json to_json(const Spread& spread);

}  // namespace belay::host
