// What a model file is to the rest of Belay, whichever format it has: names, types, shapes and byte ranges.
#pragma once

#include "core/base/dtype.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace belay::formats {

// A view into the file that was read; it is valid as long as that file object (or the bytes it was given)
// lives.
struct TensorView {
  std::string_view name;  // valid UTF-8, 1 to 1024 bytes, unique in its file
  DType dtype = DType::kF32;
  std::vector<std::uint64_t>
      shape;  // slowest first: a weight is [outputs, inputs]; the last one is whole blocks
  std::span<const std::byte> data;  // exactly the bytes of the shape; from safetensors not always aligned
  bool in_file = false;  // the bytes lie in a mapped file: their memory can be given back, they stay readable
};

}  // namespace belay::formats
