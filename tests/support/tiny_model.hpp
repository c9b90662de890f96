// Complete GGUF models with random weights, made from a seed: "other models are checked too" needs other
// models. The same spec gives the same bytes on every machine.
#pragma once

#include "core/base/dtype.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace belay::test {

struct TinyModelSpec {
  std::string arch = "llama";  // llama, qwen2 (biases on q, k, v) or qwen3 (norms on q and k)
  std::uint32_t layers = 2;
  std::uint32_t heads = 4;
  std::uint32_t kv_heads = 2;
  std::uint32_t head_dim = 16;
  std::uint32_t width = 64;
  std::uint32_t ffn = 96;
  std::uint32_t vocab = 320;  // at least kMinTinyVocab
  std::uint32_t context = 512;
  float rope_theta = 10000.0F;
  float rms_eps = 1e-5F;
  // Types of the matrices: each draws one of those whose blocks fit its rows, F32 if none does. Vectors are
  // F32.
  std::vector<DType> types = {DType::kF32};
  bool tied = false;           // no output.weight
  std::string pre = "smollm";  // or "qwen2"
  std::uint64_t seed = 1;
};

// The bytes of the file.
[[nodiscard]] std::vector<std::byte> make_tiny_model(const TinyModelSpec& spec);

}  // namespace belay::test
