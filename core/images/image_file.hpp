// JPEG and PNG files to images: upright by their EXIF orientation, alpha laid over white, colour profiles
// ignored, as the reference's loader does. Nothing is kept between calls; any thread.
#pragma once

#include "core/base/status.hpp"
#include "core/images/image.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace belay::images {

// What a file may ask for. While it is read, a picture takes up to 4 bytes a pixel, a progressive JPEG 9 (11
// in CMYK), one that is turned 6.
struct ImageLimits {
  std::uint64_t max_pixels = 64'000'000;
  std::uint64_t max_file_bytes = std::uint64_t{256} << 20U;
};

// The picture in `bytes`; `name` stands for the file in messages. kBadInput, with the name, the reason and
// what to do, for anything but a whole JPEG or PNG within the limits. The limits are checked before memory is
// taken.
[[nodiscard]] Result<Image> decode_image(std::span<const std::byte> bytes, std::string_view name,
                                         const ImageLimits& limits = {});
[[nodiscard]] Result<Image> read_image(const std::filesystem::path& path, const ImageLimits& limits = {});

}  // namespace belay::images
