// The vocabulary of a GGUF file (keys tokenizer.ggml.*).
#pragma once

#include "core/base/status.hpp"
#include "core/formats/gguf.hpp"
#include "core/tokenizer/tokenizer.hpp"

namespace belay::tokenizer {

// Views into `file`. kBadInput naming file and key for a kind of vocabulary or pre-tokenizer that Belay does
// not know.
[[nodiscard]] Result<TokenizerData> tokenizer_data(const formats::GgufFile& file);

}  // namespace belay::tokenizer
