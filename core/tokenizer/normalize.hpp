// Unicode normalisation form C. The only wrapper of utf8proc. Pure; any thread.
#pragma once

#include "core/base/status.hpp"

#include <string>
#include <string_view>

namespace belay::tokenizer {

// `text` must be valid UTF-8. Linear but for runs of combining marks, which are sorted.
[[nodiscard]] Result<std::string> normalize_nfc(std::string_view text);

}  // namespace belay::tokenizer
