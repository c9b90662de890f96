// The JSON header of a safetensors file, read event by event: no tree is built, so a header costs little more
// memory than its text. Used by safetensors.cpp only.
#pragma once

#include "core/base/dtype.hpp"
#include "core/base/status.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belay::formats {

struct SafetensorsInfo {
  std::string name;
  std::optional<DType> dtype;
  std::vector<std::uint64_t> shape;
  std::vector<std::uint64_t> offsets;  // [begin, end), from the end of the header
  bool has_shape = false;
};

struct SafetensorsHeader {
  std::vector<SafetensorsInfo> tensors;                         // in the order of the text, each one complete
  std::vector<std::pair<std::string, std::string>> attributes;  // `__metadata__`
};

// `file` is for messages. kBadInput when the text is not such a header, has unknown fields or lacks one.
[[nodiscard]] Result<SafetensorsHeader> parse_safetensors_header(std::string_view text,
                                                                 std::string_view file);

// The format's name of a type ("BF16"); empty for block types, which it does not have.
[[nodiscard]] std::string_view safetensors_name(DType dtype);

}  // namespace belay::formats
