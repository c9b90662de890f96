// The hyperparameters of a decoder, by the names that Hugging Face and GGUF share.
#pragma once

#include "core/base/status.hpp"
#include "core/formats/gguf.hpp"

#include <belay/op.h>

#include <cstdint>
#include <string>

namespace belay::models {

struct DecoderConfig {
  std::string architecture;  // "llama", "qwen2", "qwen3"
  std::string name;          // for people
  std::uint32_t n_layers = 0;
  std::uint32_t width = 0;  // of the residual stream
  std::uint32_t n_heads = 0;
  std::uint32_t n_kv_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t ffn_width = 0;
  std::uint32_t vocab_size = 0;
  std::uint32_t context_length = 0;
  float rms_epsilon = 0;
  belay_rope_attributes_t rope = {};
  bool qk_norm = false;   // qwen3: RMS norm of each query and key head
  bool qkv_bias = false;  // qwen2: biases of q, k and v
};

// From a GGUF file's metadata. kBadInput for an architecture that Belay does not know or values that make no
// model.
[[nodiscard]] Result<DecoderConfig> read_config(const formats::GgufFile& file);

}  // namespace belay::models
