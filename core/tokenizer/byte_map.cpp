#include "core/tokenizer/byte_map.hpp"

#include <array>

namespace belay::tokenizer {
namespace {

constexpr std::uint32_t kFirstMoved = 0x100;  // code point of the first byte that cannot stand for itself
constexpr std::uint32_t kMovedCount = 68;
constexpr std::int16_t kNoByte = -1;

constexpr bool stands_for_itself(std::uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Alphabet {
  std::array<std::array<char, 2>, 256> chars{};
  std::array<std::uint8_t, 256> lengths{};
  std::array<std::int16_t, kFirstMoved + kMovedCount> bytes{};  // by code point

  constexpr Alphabet() {
    bytes.fill(kNoByte);
    std::uint32_t moved = kFirstMoved;
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t code = stands_for_itself(byte) ? byte : moved++;
      bytes[code] = static_cast<std::int16_t>(byte);
      lengths[byte] = code < 0x80 ? 1 : 2;
      chars[byte][0] = static_cast<char>(code < 0x80 ? code : 0xC0U | (code >> 6U));
      chars[byte][1] = static_cast<char>(0x80U | (code & 0x3FU));
    }
  }
};

constexpr Alphabet kAlphabet;

// Appends the bytes; false, with some of them appended, when a character is not of the alphabet.
bool append_mapped_back(std::string& out, std::string_view mapped) {
  for (std::size_t i = 0; i < mapped.size(); ++i) {
    std::uint32_t code = static_cast<std::uint8_t>(mapped[i]);
    if (code >= 0x80) {  // the alphabet ends below U+0800, so two bytes are enough
      if ((code & 0xE0U) != 0xC0U || i + 1 == mapped.size()) return false;
      const std::uint32_t second = static_cast<std::uint8_t>(mapped[++i]);
      if ((second & 0xC0U) != 0x80U) return false;
      code = ((code & 0x1FU) << 6U) | (second & 0x3FU);
    }
    if (code >= kAlphabet.bytes.size() || kAlphabet.bytes[code] == kNoByte) return false;
    out += static_cast<char>(kAlphabet.bytes[code]);
  }
  return true;
}

}  // namespace

std::string_view mapped_char(std::uint8_t byte) {
  return {kAlphabet.chars[byte].data(), kAlphabet.lengths[byte]};
}

void append_token_bytes(std::string& out, std::string_view mapped) {
  const std::size_t before = out.size();
  if (append_mapped_back(out, mapped)) return;
  out.resize(before);
  out += mapped;
}

}  // namespace belay::tokenizer
