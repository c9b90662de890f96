// The decoder of llama, qwen2, qwen3 and qwen3vl as two graphs: the body, from token ids to hidden rows, and
// the head, from the hidden rows whose logits are wanted to logits. Running the head on few rows is what
// makes prefill cheap.
#pragma once

#include "core/base/dtype.hpp"
#include "core/base/status.hpp"
#include "core/graph/graph.hpp"
#include "core/models/config.hpp"
#include "core/models/tensors.hpp"

#include <string_view>

namespace belay::models {

struct Decoder {
  DecoderConfig config;
  DType cache = DType::kF32;  // of keys and values
  // Inputs: ids i32 (M), positions i32 (M); output: hidden f32 (M, width). A model that takes images has
  // positions (3, M) and 1 + n_deepstack further inputs f32 (M, width): rows that are added behind the
  // embedding and behind each of the first layers. They are zeros but for the tokens of images, whose id is
  // -1.
  graph::Graph body;
  graph::Graph head;  // input: hidden f32 (R, width); output: logits f32 (R, vocab_size)
};

// The graphs point into `tensors`, which must outlive them. `cache` is the type of keys and values; `name` is
// the model's, for messages.
[[nodiscard]] Result<Decoder> build_decoder(const DecoderConfig& config, const Tensors& tensors, DType cache,
                                            std::string_view name);

// The vocabulary is what the embedding table has rows for.
[[nodiscard]] Result<std::uint32_t> vocabulary_size(const Tensors& tensors, std::uint32_t width,
                                                    std::string_view name);

}  // namespace belay::models
