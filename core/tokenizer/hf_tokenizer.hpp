// The vocabulary of a Hugging Face folder: tokenizer.json (byte-level byte-pair encoding), with the names of
// tokenizer_config.json and the end tokens of generation_config.json. Any thread.
#pragma once

#include "core/base/status.hpp"
#include "core/tokenizer/tokenizer.hpp"

#include <filesystem>
#include <memory>
#include <string_view>

namespace belay::tokenizer {

// A vocabulary with what keeps its texts alive. May be dropped once Tokenizer::create has returned.
struct HfTokenizer {
  TokenizerData data;                 // views into `texts`
  std::shared_ptr<const void> texts;  // shared, so that the views of a copy are valid too
};

// kBadInput, naming file and key, for what is not readable, contradicts itself, or asks for a step that Belay
// does not know (then with those it knows). What the merges say is looked at by Tokenizer::create.
[[nodiscard]] Result<HfTokenizer> read_hf_tokenizer(const std::filesystem::path& folder);

// tokenizer.json alone, of its text; `file` names it in messages.
[[nodiscard]] Result<HfTokenizer> parse_hf_tokenizer(std::string_view text, std::string_view file);

}  // namespace belay::tokenizer
