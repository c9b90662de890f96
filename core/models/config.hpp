// The hyperparameters of a decoder, by the names that Hugging Face and GGUF share.
#pragma once

#include "core/base/status.hpp"
#include "core/formats/gguf.hpp"

#include <belay/op.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace belay::models {

struct DecoderConfig {
  std::string architecture;  // "llama", "qwen2", "qwen3", "qwen3vl"
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
  // qwen3vl: places have three axes (rope.sections), and the first layers take what the vision encoder saw on
  // this many levels.
  bool takes_images = false;
  std::uint32_t n_deepstack = 0;
};

// What sets the architectures apart that share one forward pass.
struct Architecture {
  std::string_view name;        // GGUF's
  std::string_view model_type;  // Hugging Face's
  std::int32_t gguf_rope_style;
  bool qk_norm;
  bool qkv_bias;
  bool takes_images;
};

// Null for a name that Belay does not know.
[[nodiscard]] const Architecture* find_architecture(std::string_view gguf_name);
[[nodiscard]] const Architecture* find_model_type(std::string_view model_type);
// "llama, qwen2, qwen3 and qwen3vl"
[[nodiscard]] std::string known_architectures();

// The flags of an architecture; the rope style is GGUF's.
[[nodiscard]] DecoderConfig config_of(const Architecture& architecture);

// Bounds far above any real model: beyond them a file is broken, and products of two of them cannot overflow.
inline constexpr std::uint32_t kMostLayers = 4096;
inline constexpr std::uint32_t kMostHeads = 4096;
inline constexpr std::uint32_t kMostWidth = 1U << 20U;
inline constexpr std::uint32_t kMostContext = 1U << 28U;
inline constexpr std::uint32_t kMostVocabulary = 1U << 24U;

// kBadInput, naming `name`, for numbers that make no model together.
[[nodiscard]] Status check(const DecoderConfig& config, std::string_view name);

// From a GGUF file's metadata. kBadInput for an architecture that Belay does not know or values that make no
// model.
[[nodiscard]] Result<DecoderConfig> read_config(const formats::GgufFile& file);

}  // namespace belay::models
