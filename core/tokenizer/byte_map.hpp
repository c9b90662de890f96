// The byte-level alphabet of GPT-2 vocabularies: each of the 256 bytes stands as one printable character. The
// printable bytes of Latin-1 stand for themselves, the other 68 for U+0100 and following in their order.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace belay::tokenizer {

// The character (UTF-8) that stands for `byte` in a vocabulary.
[[nodiscard]] std::string_view mapped_char(std::uint8_t byte);

// The bytes behind the vocabulary's text of a token, appended to `out`. A text with any character outside the
// alphabet stands for itself, as in the reference's decoder.
void append_token_bytes(std::string& out, std::string_view mapped);

}  // namespace belay::tokenizer
