#include "tests/support/tiny_tokenizer.hpp"

#include <array>
#include <string_view>
#include <utility>

namespace belay::test {
namespace {

std::string utf8(std::uint32_t code) {
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xC0U | (code >> 6U)),
          static_cast<char>(0x80U | (code & 0x3FU))};  // up to U+07FF
}

// GPT-2 spells a printable byte as itself and the others as U+0100 and up, in the order of the bytes.
bool is_printable(std::uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

// Printable bytes first, as in the vocabularies in use.
std::vector<std::string> byte_tokens() {
  std::vector<std::string> tokens;
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    if (is_printable(byte)) tokens.push_back(utf8(byte));
  }
  std::uint32_t next = 0x100;
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    if (!is_printable(byte)) tokens.push_back(utf8(next++));
  }
  return tokens;
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 24> kMerges = {{
    {"Ġ", "t"},   {"e", "r"},   {"i", "n"},    {"Ġ", "a"}, {"o", "n"},   {"h", "e"},
    {"Ġt", "he"}, {"r", "e"},   {"a", "t"},    {"e", "n"}, {"o", "r"},   {"Ġ", "s"},
    {"i", "s"},   {"l", "l"},   {"o", "u"},    {"Ġ", "w"}, {"in", "g"},  {"Ċ", "Ċ"},
    {"e", "ll"},  {"H", "ell"}, {"Hell", "o"}, {"l", "d"}, {"Ġw", "or"}, {"Ġwor", "ld"},
}};

}  // namespace

TinyTokenizer make_tiny_tokenizer(std::uint32_t vocab) {
  TinyTokenizer made;
  made.tokens = byte_tokens();
  for (const auto& [left, right] : kMerges) {
    made.tokens.push_back(std::string(left) + std::string(right));
    made.merges.push_back(std::string(left) + " " + std::string(right));
  }
  made.types.assign(made.tokens.size(), 1);
  const auto add_control = [&](std::string_view text) {
    made.tokens.emplace_back(text);
    made.types.push_back(3);
    return static_cast<std::uint32_t>(made.tokens.size() - 1);
  };
  made.endoftext = add_control("<|endoftext|>");
  made.im_start = add_control("<|im_start|>");
  made.im_end = add_control("<|im_end|>");
  while (made.tokens.size() < vocab) {
    made.tokens.push_back("[PAD" + std::to_string(made.tokens.size()) + "]");
    made.types.push_back(5);
  }
  return made;
}

std::string tiny_chat_template() {
  return "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% "
         "endfor %}"
         "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
}

}  // namespace belay::test
