// What the user wants: level, bans, pins, overrides. Plain data, from the command line and belay.toml.
#pragma once

#include "core/manifest/manifest.hpp"
#include "core/resolver/problem.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::resolver {

// The plugin that is part of Belay itself: always there, never listed; its optimizations are candidates like
// any other.
inline constexpr std::string_view kCoreId = "core";

enum class Goal { kLatency, kThroughput, kEfficiency };
enum class Balance { kMemory, kCompute };
enum class FallbackRule { kAllow, kWarn, kForbid };

// [override."id"] of belay.toml.
struct Override {
  std::optional<std::int32_t> priority;
  std::optional<bool> enabled;
  std::optional<std::uint32_t> device;  // number of the GPU in the profile
};

struct Policy {
  manifest::Level level = manifest::Level::kModerate;
  Balance balance = Balance::kCompute;  // what the core offers itself depends on it
  // The next three do not change which candidates are selected; placement, dispatch and the registry obey
  // them.
  Goal objective = Goal::kLatency;
  FallbackRule fallback = FallbackRule::kAllow;
  bool strict_manifests = false;

  Mode mode = Mode::kLeximax;
  std::int64_t lambda = 1;                           // kWeighted: priority points for each permille of gain
  std::vector<std::string> only;                     // plugin ids; empty: all
  std::vector<std::string> bans;                     // globs over full ids and over bare optimization names
  std::vector<std::string> pins;                     // full ids
  std::map<std::string, Override> overrides;         // by full id
  std::map<std::string, manifest::Budget> measured;  // of the model in hand, by the optimization's full id
};

// What a level allows an optimization to cost, as far as it was measured: KL divergence and same-top-1 to the
// dense f32 result, and the relative increase of perplexity.
[[nodiscard]] manifest::Budget level_budget(manifest::Level level);

// `*` stands for any characters, `?` for one.
[[nodiscard]] bool matches_glob(std::string_view pattern, std::string_view text);

}  // namespace belay::resolver
