// What would run where: the plan that is printed is the plan that runs. Pure.
#pragma once

#include "core/dispatch/chains.hpp"
#include "core/manifest/manifest.hpp"
#include "core/models/model.hpp"
#include "core/runtime/compression.hpp"
#include "core/runtime/device_plan.hpp"
#include "core/runtime/memory_plan.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace belay::runtime {

struct PlanOptions : MemoryOptions {
  std::uint64_t context = 0;  // positions wanted; 0: what the model was made for, at most kUsualContext
  // Of a GPU that is not asked, for a plan from manifests alone: what it has free.
  std::optional<std::uint64_t> gpu_bytes = {};
};

inline constexpr std::uint64_t kUsualContext = 4096;

// Consecutive layers that one plugin heads.
struct Placement {
  std::int64_t first_layer = 0;
  std::int64_t last_layer = 0;
  std::string plugin;
};

struct Plan {
  dispatch::Chains body_chains;
  dispatch::Chains head_chains;
  dispatch::Chains vision_chains;  // of the encoder, when the model has one
  dispatch::ChainTable chains;     // the same, grouped by operator and weight type
  std::vector<Placement> placement;
  MemoryPlan memory;
  std::optional<DeviceUse> device;
  std::optional<Compression> compression;  // of what is streamed, once that was looked at
};

// The type of keys and values that the chosen optimizations ask for; f16 for q8_0 where a head is not whole
// blocks.
[[nodiscard]] DType cache_dtype(std::span<const std::string> optimizations, std::uint32_t head_dim);

// What a plugin may do to activations under the chosen optimizations: BELAY_NUMERICS_*.
[[nodiscard]] std::int32_t numerics_of(const std::string& plugin, std::span<const std::string> optimizations);

// `selected`: best first. kNoPlugin when a node has no chain, kBadInput when the model cannot have that
// context, kOutOfMemory with the arithmetic when it does not fit the limit even with the smallest chunk.
[[nodiscard]] Result<Plan> make_plan(const models::Model& model, std::uint64_t weights_bytes,
                                     std::span<const manifest::Manifest* const> selected,
                                     const PlanOptions& options);

// What lies on a device takes no memory of the host.
void make_room(const DeviceUse& device, MemoryUse& use, MemoryOptions& options);

// Layers by the plugin that heads their attention. `heads`: for each node of the body the plugin that heads
// its chain.
[[nodiscard]] std::vector<Placement> place_layers(const graph::Graph& body,
                                                  std::span<const std::string> heads);

}  // namespace belay::runtime
