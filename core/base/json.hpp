// JSON in and out. The only file that includes nlohmann-json. Text from outside goes through parse_json,
// which bounds depth and number of values and refuses duplicate keys, invalid UTF-8 and integers that do not
// fit 64 bits.
#pragma once

#include "core/base/status.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace belay {

using Json = nlohmann::ordered_json;  // keys stay in the order in which they were written

struct JsonLimits {
  std::size_t max_depth = 64;
  std::size_t max_values = std::size_t{1}
                           << 22U;  // of any type: "[]," takes 3 bytes of text, but 20 times that as a tree
};

[[nodiscard]] Result<Json> parse_json(std::string_view text, ErrorCode error, const JsonLimits& limits = {});

// On one line, with invalid UTF-8 replaced, never throwing.
[[nodiscard]] std::string to_line(const Json& value);

}  // namespace belay
