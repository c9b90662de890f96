// What must hold for any bytes that are taken for an image file. Sizes are limited, so that an input is a
// short job.
#pragma once

#include "core/images/image_file.hpp"
#include "core/images/preprocess.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

namespace belay::test {

inline void must(bool condition) {
  if (!condition) std::abort();  // what libFuzzer reports as a finding
}

inline void check_image(std::span<const std::byte> bytes, std::string_view name) {
  images::ImageLimits limits;
  limits.max_pixels = 10'000;
  const auto image = images::decode_image(bytes, name, limits);
  if (!image.ok()) {
    must(image.error().code == ErrorCode::kBadInput && image.error().message.starts_with(name));
    return;
  }
  must(image->size.pixels() > 0 && image->size.pixels() <= limits.max_pixels);
  must(image->rgb.size() == 3 * image->size.pixels());
  images::PreprocessConfig config;
  config.limits = {1, 4096};
  const auto patched = images::preprocess(*image, config);
  if (!patched.ok()) return;  // too long and thin
  must(patched->grid_h % 2 == 0 && patched->grid_w % 2 == 0);
  must(patched->patches.size() == std::size_t{768} * patched->grid_h * patched->grid_w);
  for (const float value : patched->patches) must(value >= -1 && value <= 1);
}

}  // namespace belay::test
