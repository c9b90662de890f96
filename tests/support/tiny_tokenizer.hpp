// A byte-level BPE vocabulary small enough to read: 256 bytes, some merges, the ChatML tokens, and padding.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace belay::test {

struct TinyTokenizer {
  std::vector<std::string> tokens;  // in GPT-2's spelling of bytes; exactly the size of the vocabulary
  std::vector<std::int32_t> types;  // GGUF's token types: 1 normal, 3 control, 5 unused
  std::vector<std::string> merges;  // "a b", best first
  std::uint32_t endoftext = 0, im_start = 0, im_end = 0;
};

// The fewest tokens it can have.
inline constexpr std::uint32_t kMinTinyVocab = 288;

[[nodiscard]] TinyTokenizer make_tiny_tokenizer(std::uint32_t vocab);

// ChatML: every message between <|im_start|>role and <|im_end|>, then the assistant's turn.
[[nodiscard]] std::string tiny_chat_template();

}  // namespace belay::test
