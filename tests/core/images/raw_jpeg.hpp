// Writes JPEG files in the ways that Belay must read, through libjpeg's encoder.
#pragma once

#include "core/images/image.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace belay::test {

enum class JpegColour { kGray, kRgb, kYcc, kCmyk, kYcck };
enum class JpegScans {
  kOne,
  kProgressive,     // libjpeg's own ten
  kOnePerFrequency  // 190 for three components: valid, and what a bomb is made of
};

struct JpegRecipe {
  JpegColour colour = JpegColour::kYcc;
  JpegScans scans = JpegScans::kOne;
  std::string app1;  // an APP1 segment's content; none when empty
};

// `samples` is [height, width, 1, 3 or 4], as the colour says (4 for CMYK, stored as given). Quality 100, no
// subsampling.
[[nodiscard]] std::string encode_jpeg(images::Size size, std::span<const std::uint8_t> samples,
                                      const JpegRecipe& recipe);

}  // namespace belay::test
