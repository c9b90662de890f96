// From an image to what the Qwen3-VL vision encoder reads: a size that patches cover, a resize, normalised
// patches. The arithmetic is the reference's to the bit, up to the last rounding of a float. Pure; any
// thread.
#pragma once

#include "core/base/status.hpp"
#include "core/images/image.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace belay::images {

// How many pixels the resized image should have. The bounds can be missed by a row or column of patches.
struct PixelLimits {
  std::uint64_t min_pixels = 65'536;
  std::uint64_t max_pixels = 16'777'216;
};

struct PreprocessConfig {
  PixelLimits limits = {};
  std::uint32_t patch_size = 16;
  std::uint32_t merge_size = 2;                    // patches of a side of the block that becomes one token
  std::array<float, 3> mean = {0.5F, 0.5F, 0.5F};  // of R, G, B from 0 to 1
  std::array<float, 3> std = {0.5F, 0.5F, 0.5F};

  [[nodiscard]] std::uint32_t factor() const { return patch_size * merge_size; }
};

// kBadInput naming the field whose value makes no preprocessing; what reads a config calls it once. The
// functions below take a config that passed.
[[nodiscard]] Status validate(const PreprocessConfig& config);

// The size that an image is resized to: both sides a positive multiple of factor(). kBadInput when one side
// is more than 200 times the other.
[[nodiscard]] Result<Size> smart_resize(Size size, const PreprocessConfig& config);

// Bicubic (a = −0.5) with antialiasing in fixed point: rows first, then columns. `size` has no side of 0.
[[nodiscard]] Image resize_bicubic(const Image& image, Size size);

struct PatchedImage {
  std::uint32_t grid_h = 0, grid_w = 0;  // in patches
  std::uint32_t patch_size = 0;
  // [grid_h * grid_w, 3, patch_size, patch_size]: blocks of merge_size x merge_size patches in reading order,
  // the patches of a block in reading order. One of the two equal temporal taps of a still image.
  std::vector<float> patches;
};

// Normalised patches of an image whose sides are multiples of factor().
[[nodiscard]] PatchedImage patchify(const Image& image, const PreprocessConfig& config);

// The patches with both temporal taps, [grid_h * grid_w, 3, 2, patch_size, patch_size]: the reference's
// pixel_values.
[[nodiscard]] std::vector<float> pixel_values(const PatchedImage& patched);

// All of the above. kBadInput naming the image when it is too long and thin.
[[nodiscard]] Result<PatchedImage> preprocess(const Image& image, const PreprocessConfig& config);

}  // namespace belay::images
