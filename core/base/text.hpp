// Text from files and users, made safe to handle and to show.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace belay {

// Where the first byte that is not valid UTF-8 lies (overlong forms and surrogates are invalid), or npos.
[[nodiscard]] std::size_t find_invalid_utf8(std::string_view text);

// For a message: control characters and invalid UTF-8 as \xNN, cut to `limit` bytes with "…" behind.
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit = 120);

// The edit distance by insertion, deletion and substitution, for did-you-mean hints.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace belay
