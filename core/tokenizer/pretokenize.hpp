// Cuts text into the pieces that byte-pair encoding works on, by the regular expression that the vocabulary
// was trained with. The only wrapper of PCRE2. Immutable after create; any thread.
#pragma once

#include "core/base/status.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

namespace belay::tokenizer {

enum class PreTokenizerKind {
  kSmollm,  // GGUF's "smollm": every digit alone, then the expression of GPT-2
  kQwen2,   // GGUF's "qwen2": Qwen2 and Qwen3
  kGpt2,    // GGUF's "gpt-2"
};

// The kind that a GGUF file calls `name`. kBadInput, with the names that are known, for any other.
[[nodiscard]] Result<PreTokenizerKind> pre_tokenizer_named(std::string_view name);
// The other way: what GGUF calls it.
[[nodiscard]] std::string_view pre_tokenizer_name(PreTokenizerKind kind);

class PreTokenizer {
 public:
  // `use_jit` false interprets the expression, as happens by itself where no code can be made at run time.
  [[nodiscard]] static Result<PreTokenizer> create(PreTokenizerKind kind, bool use_jit = true);

  // Calls `take` with each piece of `text`, which must be valid UTF-8, in order; together they are the whole
  // text.
  [[nodiscard]] Status split(std::string_view text,
                             const std::function<void(std::string_view piece)>& take) const;

 private:
  std::shared_ptr<const void> code_;  // pcre2_code
};

}  // namespace belay::tokenizer
