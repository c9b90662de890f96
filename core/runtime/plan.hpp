// What would run where: the plan that is printed is the plan that runs. Pure.
#pragma once

#include "core/dispatch/chains.hpp"
#include "core/manifest/manifest.hpp"
#include "core/models/model.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace belay::runtime {

struct PlanOptions {
  std::uint64_t context = 0;        // positions wanted; 0: what the model was made for, at most kUsualContext
  std::uint64_t image_patches = 0;  // of the largest image that is to be encoded; 0: none
  std::optional<std::uint64_t> memory_limit;  // bytes for everything together
  std::optional<std::uint64_t> memory_free;   // for people; unknown when absent
};

inline constexpr std::uint64_t kUsualContext = 4096;
inline constexpr std::uint64_t kMostChunk = 512;  // tokens of one prefill step
inline constexpr std::uint64_t kLeastChunk = 16;  // below this, a smaller chunk saves no memory worth having

// Consecutive layers that one plugin heads.
struct Placement {
  std::int64_t first_layer = 0;
  std::int64_t last_layer = 0;
  std::string plugin;
};

struct MemoryUse {
  std::uint64_t weights_bytes = 0;  // mapped from the file, or packed in their place
  std::uint64_t packed_bytes = 0;   // workspace, and packed weights that stand beside others
  std::uint64_t kv_bytes = 0;
  std::uint64_t scratch_bytes = 0;  // of the decoder, and of the encoder for the largest image
  [[nodiscard]] std::uint64_t total() const {
    return weights_bytes + packed_bytes + kv_bytes + scratch_bytes;
  }
};

struct Plan {
  std::uint64_t context = 0;
  std::uint64_t chunk = kMostChunk;
  DType cache = DType::kF32;
  dispatch::Chains body_chains;
  dispatch::Chains head_chains;
  dispatch::Chains vision_chains;  // of the encoder, when the model has one
  dispatch::ChainTable chains;     // the same, grouped by operator and weight type
  std::vector<Placement> placement;
  MemoryUse memory;  // of the tier "host"
};

// The type of keys and values that the chosen optimizations ask for.
[[nodiscard]] DType cache_dtype(std::span<const std::string> optimizations);

// What a plugin may do to activations under the chosen optimizations: BELAY_NUMERICS_*.
[[nodiscard]] std::int32_t numerics_of(const std::string& plugin, std::span<const std::string> optimizations);

// `selected`: best first. kNoPlugin when a node has no chain, kBadInput when the model cannot have that
// context, kOutOfMemory with the arithmetic when it does not fit the limit even with the smallest chunk.
[[nodiscard]] Result<Plan> make_plan(const models::Model& model, std::uint64_t weights_bytes,
                                     std::span<const manifest::Manifest* const> selected,
                                     const PlanOptions& options);

// Layers by the plugin that heads their attention. `heads`: for each node of the body the plugin that heads
// its chain.
[[nodiscard]] std::vector<Placement> place_layers(const graph::Graph& body,
                                                  std::span<const std::string> heads);

// "weights 93.8 MiB + KV cache 45.0 MiB (4096 positions, f16) + scratch 12.1 MiB (512 tokens a step) = 150.9
// MiB"
[[nodiscard]] std::string memory_text(const Plan& plan);

}  // namespace belay::runtime
