// The decoder of llama, qwen2 and qwen3 as two graphs: the body, from token ids to hidden rows, and the head,
// from the hidden rows whose logits are wanted to logits. Running the head on few rows is what makes prefill
// cheap.
#pragma once

#include "core/base/dtype.hpp"
#include "core/base/status.hpp"
#include "core/formats/gguf.hpp"
#include "core/graph/graph.hpp"
#include "core/models/config.hpp"

namespace belay::models {

struct Decoder {
  DecoderConfig config;
  DType cache = DType::kF32;  // of keys and values
  graph::Graph body;          // inputs: ids i32 (M), positions i32 (M); output: hidden f32 (M, width)
  graph::Graph head;          // input: hidden f32 (R, width); output: logits f32 (R, vocab_size)
};

// The graphs point into `file`, which must outlive them. `cache` is the type of keys and values.
[[nodiscard]] Result<Decoder> build_decoder(const formats::GgufFile& file, DType cache);

}  // namespace belay::models
