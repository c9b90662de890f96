// Vocabularies and expectations for the tests of this room.
#pragma once

#include "core/base/json.hpp"
#include "core/formats/gguf.hpp"
#include "core/tokenizer/gguf_tokenizer.hpp"

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belay::test {

using Ids = std::vector<std::int32_t>;

inline constexpr std::string_view kSmollmFile = "llama_a/model-mixed.gguf";  // pre = smollm, 483 real tokens
inline constexpr std::string_view kQwenFile = "qwen_tokenizer.gguf";         // pre = qwen2, 618 real tokens

// A file or folder of the goldens.
[[nodiscard]] std::filesystem::path golden_path(std::string_view name);
// A golden file's text, GGUF or JSON. A missing file ends the test.
[[nodiscard]] std::string golden_text(std::string_view name);
[[nodiscard]] Json golden_json(std::string_view name);
[[nodiscard]] formats::GgufFile golden_gguf(std::string_view name);
[[nodiscard]] tokenizer::Tokenizer golden_tokenizer(std::string_view name);

// `tokenizer` gives the ids and texts of cases/tokenizer_cases.json under `key`.
void check_cases(const tokenizer::Tokenizer& tokenizer, std::string_view key);

// The GGUF file of SmolLM2-135M-Instruct, if it is on this machine: $BELAY_TEST_SMOLLM2 (empty: no), else in
// the user's cache.
[[nodiscard]] std::optional<std::filesystem::path> smollm2_path();

[[nodiscard]] Ids encode(const tokenizer::Tokenizer& tokenizer, std::string_view text,
                         tokenizer::Specials specials = tokenizer::Specials::kParse);

// Milliseconds of processor time since the program began: what other programs do does not count.
[[nodiscard]] double cpu_ms();
// The limit that holds in this build: sanitizers and unoptimised code may take ten times as long.
[[nodiscard]] double allowed_ms(double limit);

// A code point in UTF-8.
[[nodiscard]] std::string utf8(char32_t code);

}  // namespace belay::test
