// Reads everything a GGUF file offers, so that a sanitizer sees every access that a user of it could make.
#pragma once

#include "core/formats/gguf.hpp"

#include <cstdint>

namespace belay::test {

// A sum over all that was read, so that nothing is optimised away.
[[nodiscard]] inline std::uint64_t walk(const formats::GgufFile& file) {
  std::uint64_t sum = 0;
  const auto take = [&](const auto& result) { sum += result.ok() ? 1 : result.error().message.size(); };
  for (const formats::GgufEntry& entry : file.metadata().entries()) {
    for (const std::byte byte : entry.payload) sum += std::to_integer<std::uint64_t>(byte);
    take(file.get_u32(entry.key));
    take(file.get_u64(entry.key));
    take(file.get_i64(entry.key));
    take(file.get_f32(entry.key));
    take(file.get_bool(entry.key));
    take(file.get_string(entry.key));
    take(file.get_i32s(entry.key));
    take(file.get_f32s(entry.key));
    take(file.get_bools(entry.key));
    const auto strings = file.get_strings(entry.key);
    if (!strings.ok()) continue;
    for (const std::string_view text : *strings) {
      for (const char character : text) sum += static_cast<std::uint8_t>(character);
    }
  }
  for (const formats::TensorView& tensor : file.tensors()) {
    for (const std::byte byte : tensor.data) sum += std::to_integer<std::uint64_t>(byte);
    sum += file.find(tensor.name) == &tensor ? tensor.shape.size() : 1'000'000;
  }
  return sum;
}

}  // namespace belay::test
