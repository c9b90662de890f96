// A vocabulary of any size that tokenizes any text: 256 bytes, a few merges, words that no text becomes, and
// Qwen's special tokens, at their real ids when the vocabulary has Qwen's size.
#pragma once

#include "core/formats/gguf_writer.hpp"

#include <cstdint>

namespace belay::make_model {

// The keys tokenizer.ggml.* and a ChatML template. `size` is at least 320.
void add_vocabulary(formats::GgufWriter& writer, std::uint32_t size);

}  // namespace belay::make_model
