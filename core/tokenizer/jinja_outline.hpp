// The outline of a Jinja template: its statements, and between them the text that it writes. Nothing is
// evaluated.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::tokenizer {

struct JinjaItem {
  enum class Kind { kWrite, kStatement };
  Kind kind = Kind::kWrite;
  // A statement's words with one space between, strings in single quotes, members as `.name`, however they
  // were spelled: "if loop.first and messages[0].role != 'system'". For kWrite the text, in which kHole NAME
  // kHole is a value.
  std::string text;

  friend bool operator==(const JinjaItem&, const JinjaItem&) = default;
};

inline constexpr char kHole = '\x01';

// "\x01message.role\x01": how the value of an expression stands in the text of a kWrite item.
[[nodiscard]] std::string hole(std::string_view expression);

// Adjacent writes are one item; comments are gone; white space is stripped as Hugging Face's renderer does it
// (trim_blocks and lstrip_blocks on). Nothing when the text is not understood: filters, calls in {{ }},
// unknown escapes, open tags.
[[nodiscard]] std::optional<std::vector<JinjaItem>> jinja_outline(std::string_view text);

}  // namespace belay::tokenizer
