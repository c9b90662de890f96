#include "tools/synthetic_vocabulary.hpp"

#include "core/base/format.hpp"
#include "core/tokenizer/byte_map.hpp"
#include "core/tokenizer/tokenizer.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belay::make_model {
namespace {

using tokenizer::TokenType;

constexpr std::uint32_t kQwenFirstSpecial = 151643;
constexpr std::uint32_t kLeftAtEnd =
    32;  // in smaller vocabularies the special tokens begin this far from the end

constexpr std::array<std::string_view, 14> kSpecials = {
    "<|endoftext|>",  "<|im_start|>",   "<|im_end|>",     "<|object_ref_start|>", "<|object_ref_end|>",
    "<|box_start|>",  "<|box_end|>",    "<|quad_start|>", "<|quad_end|>",         "<|vision_start|>",
    "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>",  "<|video_pad|>"};
constexpr std::uint32_t kEndOfText = 0;  // in kSpecials
constexpr std::uint32_t kTurnEnd = 2;

constexpr std::array<std::pair<std::string_view, std::string_view>, 24> kMerges = {{
    {"Ġ", "t"},  {"e", "r"}, {"i", "n"},  {"Ġ", "a"}, {"o", "n"},  {"h", "e"}, {"Ġt", "he"}, {"r", "e"},
    {"a", "t"},  {"e", "n"}, {"o", "r"},  {"Ġ", "s"}, {"i", "s"},  {"l", "l"}, {"o", "u"},   {"Ġ", "w"},
    {"in", "g"}, {"Ċ", "Ċ"}, {"e", "ll"}, {"Ġ", "o"}, {"Ġo", "f"}, {"l", "d"}, {"Ġw", "or"}, {"Ġwor", "ld"},
}};

// " xa", " xb", ... in the vocabulary's spelling; no merge begins with " x".
std::string filler(std::uint32_t number) {
  std::string word;
  for (; number > 0 || word.empty(); number /= 26) word += static_cast<char>('a' + number % 26);
  return "Ġx" + word;
}

// Qwen's order: the bytes whose character stands for itself, then the others.
std::vector<std::string> byte_tokens() {
  std::vector<std::string> tokens;
  tokens.reserve(256);
  for (int byte = 0; byte < 256; ++byte)
    tokens.emplace_back(tokenizer::mapped_char(static_cast<std::uint8_t>(byte)));
  // In UTF-8 the order of texts is that of characters, and the others are mapped above U+00FF in order.
  std::sort(tokens.begin(), tokens.end());
  return tokens;
}

}  // namespace

void add_vocabulary(formats::GgufWriter& writer, std::uint32_t size) {
  const std::uint32_t first_special = std::min(kQwenFirstSpecial, size - kLeftAtEnd);
  std::vector<std::string> tokens = byte_tokens();
  std::vector<std::string> merges;
  for (const auto& [left, right] : kMerges) {
    tokens.push_back(format("{}{}", left, right));
    merges.push_back(format("{} {}", left, right));
  }
  for (std::uint32_t i = 0; tokens.size() < first_special; ++i) tokens.push_back(filler(i));
  std::vector<std::int32_t> types(first_special, static_cast<std::int32_t>(TokenType::kNormal));
  tokens.insert(tokens.end(), kSpecials.begin(), kSpecials.end());
  types.resize(tokens.size(), static_cast<std::int32_t>(TokenType::kControl));
  while (tokens.size() < size) tokens.push_back(format("[PAD{}]", tokens.size()));
  types.resize(size, static_cast<std::int32_t>(TokenType::kUnused));

  writer.add_string("tokenizer.ggml.model", "gpt2");
  writer.add_string("tokenizer.ggml.pre", "qwen2");
  writer.add_strings("tokenizer.ggml.tokens", tokens);
  writer.add_i32s("tokenizer.ggml.token_type", types);
  writer.add_strings("tokenizer.ggml.merges", merges);
  writer.add_u32("tokenizer.ggml.eos_token_id", first_special + kTurnEnd);
  writer.add_u32("tokenizer.ggml.padding_token_id", first_special + kEndOfText);
  writer.add_bool("tokenizer.ggml.add_bos_token", false);
  writer.add_string("tokenizer.chat_template",
                    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + "
                    "'<|im_end|>\\n' }}{% endfor %}"
                    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}");
}

}  // namespace belay::make_model
