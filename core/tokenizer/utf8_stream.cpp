#include "core/tokenizer/utf8_stream.hpp"

#include <cstddef>
#include <cstdint>

namespace belay::tokenizer {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

struct Range {
  std::uint8_t low;
  std::uint8_t high;
  [[nodiscard]] bool contains(std::uint8_t byte) const { return byte >= low && byte <= high; }
};

// Bytes of the sequence that begins with `lead`; 0 when none does.
std::size_t length_of(std::uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

// What may follow the lead byte: Unicode's table 3-7 (no overlong forms, surrogates or code points above
// U+10FFFF).
Range second_byte(std::uint8_t lead) {
  switch (lead) {
    case 0xE0:
      return {0xA0, 0xBF};
    case 0xED:
      return {0x80, 0x9F};
    case 0xF0:
      return {0x90, 0xBF};
    case 0xF4:
      return {0x80, 0x8F};
    default:
      return {0x80, 0xBF};
  }
}

struct Sequence {
  enum class Kind { kValid, kInvalid, kIncomplete };
  Kind kind;
  std::size_t bytes;  // to take; the maximal part that could begin a character when invalid
};

Sequence first_sequence(std::string_view text) {
  const auto lead = static_cast<std::uint8_t>(text[0]);
  const std::size_t length = length_of(lead);
  if (length == 0) return {Sequence::Kind::kInvalid, 1};
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {Sequence::Kind::kIncomplete, i};
    const Range allowed = i == 1 ? second_byte(lead) : Range{0x80, 0xBF};
    if (!allowed.contains(static_cast<std::uint8_t>(text[i]))) return {Sequence::Kind::kInvalid, i};
  }
  return {Sequence::Kind::kValid, length};
}

}  // namespace

std::string Utf8Stream::feed(std::string_view bytes) {
  pending_ += bytes;
  std::string text;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const Sequence sequence = first_sequence(rest);
    if (sequence.kind == Sequence::Kind::kIncomplete) break;
    text += sequence.kind == Sequence::Kind::kValid ? rest.substr(0, sequence.bytes) : kReplacement;
    rest.remove_prefix(sequence.bytes);
  }
  pending_.erase(0, pending_.size() - rest.size());
  return text;
}

std::string Utf8Stream::flush() {
  const bool begun = !pending_.empty();
  pending_.clear();
  return begun ? std::string(kReplacement) : std::string();
}

}  // namespace belay::tokenizer
