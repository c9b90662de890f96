// Writes PNG files chunk by chunk, right or wrong, without a PNG library.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace belay::test {

// PNG's colour types.
inline constexpr std::uint8_t kGray = 0, kRgb = 2, kPalette = 3, kGrayAlpha = 4, kRgba = 6;

class RawPng {
 public:
  RawPng();  // the signature

  RawPng& header(std::uint32_t width, std::uint32_t height, std::uint8_t bit_depth, std::uint8_t colour,
                 std::uint8_t interlace = 0);
  RawPng& chunk(std::string_view type, std::string_view data);
  // An IDAT with `rows` (each with its filter byte in front) in stored blocks.
  RawPng& pixels(std::string_view rows);
  RawPng& end() { return chunk("IEND", ""); }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Bytes from numbers: `raw({0, 255})`.
[[nodiscard]] std::string raw(std::initializer_list<int> values);

// A zlib stream of stored blocks.
[[nodiscard]] std::string stored_zlib(std::string_view data);

// The file with the checksum of each chunk made right, as far as the chunks go.
[[nodiscard]] std::string with_right_checksums(std::string png);

}  // namespace belay::test
