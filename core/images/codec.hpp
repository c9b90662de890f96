// What the two codecs give image_file.cpp. Each is the only file that includes its library.
#pragma once

#include "core/base/status.hpp"
#include "core/images/exif.hpp"
#include "core/images/image.hpp"
#include "core/images/image_file.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace belay::images {

struct Decoded {
  Image image;  // as stored
  Orientation orientation = Orientation::kUpright;
};

[[nodiscard]] Result<Decoded> decode_jpeg(std::span<const std::byte> bytes, std::string_view name,
                                          const ImageLimits& limits);
[[nodiscard]] Result<Decoded> decode_png(std::span<const std::byte> bytes, std::string_view name,
                                         const ImageLimits& limits);

// An error when a header declares no pixels or more than the limit.
[[nodiscard]] Status check_size(Size size, std::string_view name, const ImageLimits& limits);

}  // namespace belay::images
