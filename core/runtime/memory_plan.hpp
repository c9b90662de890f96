// How much memory a run takes, tier by tier, and what gives when that is too much: first the tokens of a
// step, then the layers that are streamed, then the KV cache, which is spilled to the disk. A cache that
// alone would take more than half of the limit is spilled before layers are streamed: where it grows with
// every token read, they do not. Pure.
#pragma once

#include "core/base/status.hpp"
#include "core/memory/placement.hpp"
#include "core/models/model.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace belay::runtime {

inline constexpr std::uint64_t kMostChunk = 512;  // tokens of one prefill step
inline constexpr std::uint64_t kLeastChunk = 16;  // below this, a smaller chunk saves no memory worth having
// Most rows of logits computed at once; a row is as wide as the vocabulary.
inline constexpr std::uint64_t kMostHeadRows = 16;

struct MemoryOptions {
  std::uint64_t image_patches = 0;            // of the largest image that is to be encoded; 0: none
  std::optional<std::uint64_t> memory_limit;  // bytes for everything together
  bool limit_is_set = true;                   // by the user; else it is what the machine has to give
  std::uint64_t program_bytes = 0;            // what the process holds already
  bool may_stream = false;                    // what does not fit may be read while the model runs
  bool save_memory = false;                   // then rather a smaller step than fewer layers in memory
  std::uint64_t most_chunk = kMostChunk;      // tokens of a step
  std::uint64_t head_rows = 1;                // of logits at once: more where those of every token are wanted
  std::size_t device_layers = 0;              // the first ones, which take no memory here
};

// Of the tier "host".
struct MemoryUse {
  std::uint64_t program_bytes = 0;  // held before anything of the model was loaded
  std::uint64_t weights_bytes = 0;  // that stay: mapped from the file, or packed in their place
  std::uint64_t ring_bytes = 0;     // through which the others go
  std::uint64_t packed_bytes = 0;   // workspace, and packed weights that stand beside others
  std::uint64_t kv_bytes = 0;       // of a spilled cache what stays
  std::uint64_t scratch_bytes = 0;  // of the decoder, and of the encoder for the largest image
  [[nodiscard]] std::uint64_t of_model() const {
    return weights_bytes + ring_bytes + packed_bytes + kv_bytes + scratch_bytes;
  }
  [[nodiscard]] std::uint64_t total() const { return program_bytes + of_model(); }
};

struct MemoryPlan {
  std::uint64_t context = 0;
  std::uint64_t chunk = kMostChunk;  // tokens of a step at most
  std::uint64_t head_rows = 1;       // of logits at once
  DType cache = DType::kF32;
  MemoryUse whole;  // what it was made of: everything in memory, no scratch yet
  MemoryUse use;
  bool may_pack_made = true;  // weights made in memory may stand there twice, packed and as they were made
  memory::LayerPlacement layers;                // in memory, or streamed from the tier "disk"
  std::vector<memory::LayerBytes> layer_bytes;  // of each layer, by what can be streamed; empty: none may be
  std::uint64_t kv_spilled_bytes = 0;           // that the KV cache takes there when the context is full
};

// `use` has what is fixed: the program, the KV cache and all weights. kOutOfMemory with the arithmetic when
// nothing helps.
[[nodiscard]] Result<MemoryPlan> plan_memory(const models::Model& model, const MemoryUse& use,
                                             std::uint64_t context, const MemoryOptions& options);

// "weights 93.8 MiB + KV cache 45.0 MiB (4096 positions, f16) + ... = 150.9 MiB"
[[nodiscard]] std::string memory_text(const MemoryPlan& plan);

}  // namespace belay::runtime
