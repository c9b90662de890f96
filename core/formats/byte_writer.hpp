// Little-endian numbers and strings, as ByteReader reads them. The machines Belay runs on are little endian.
#pragma once

#include "core/base/xxh3.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace belay::formats {

using Bytes = std::vector<std::byte>;

inline void put_bytes(Bytes& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <class T>
void put(Bytes& out, T value) {
  static_assert(std::is_arithmetic_v<T>);
  put_bytes(out, std::as_bytes(std::span(&value, 1)));
}

inline void put(Bytes& out, const Xxh3& hash) {
  for (const std::uint64_t half : hash) put(out, half);
}

// Behind its 64-bit length.
inline void put_string(Bytes& out, std::string_view text) {
  put(out, std::uint64_t{text.size()});
  put_bytes(out, std::as_bytes(std::span(text)));
}

}  // namespace belay::formats
