// Which step of a sequence is what in a decoder layer. Pure.
#pragma once

#include <belay/cpp/compute.hpp>

#include <cstdint>
#include <optional>

namespace belay::cuda {

struct LayerSteps {
  uint64_t attention_norm = 0;
  uint64_t q = 0, k = 0, v = 0;
  std::optional<uint64_t> q_norm, k_norm;
  uint64_t q_rope = 0, k_rope = 0;
  uint64_t kv_write = 0;
  uint64_t attention = 0;
  uint64_t output = 0;
  uint64_t attention_residual = 0;
  uint64_t mlp_norm = 0;
  uint64_t gate = 0, up = 0, silu = 0;
  uint64_t down = 0;
  uint64_t mlp_residual = 0;
  uint64_t count = 0;  // of all
};

// The layer with which a sequence begins, when each step has the operands that it has there and nothing but
// the caches and the last sum is read elsewhere.
[[nodiscard]] std::optional<LayerSteps> find_layer(const sdk::Sequence& steps);

}  // namespace belay::cuda
