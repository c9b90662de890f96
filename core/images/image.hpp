// A picture in memory: 8-bit RGB, upright, opaque. Plain values, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace belay::images {

struct Size {
  std::uint32_t height = 0;
  std::uint32_t width = 0;

  [[nodiscard]] std::uint64_t pixels() const { return std::uint64_t{height} * width; }
  bool operator==(const Size&) const = default;
};

struct Image {
  std::string name;               // of the file, for messages
  Size size;                      // both sides at least 1
  std::vector<std::uint8_t> rgb;  // [height, width, 3]
};

}  // namespace belay::images
