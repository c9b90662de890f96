#include "core/images/preprocess.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace belay::images {
namespace {

constexpr std::uint64_t kMostPixels = std::uint64_t{1} << 26U;  // four times Qwen3-VL's; 0.8 GB of patches
constexpr std::uint32_t kMaxPatchSize = 64, kMaxMergeSize = 8;
constexpr double kMaxRatio = 200;

// A byte of a channel to the model's number: (byte / 255 − mean) / std.
std::array<float, 256> normalisation(double mean, double std) {
  std::array<float, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i] = static_cast<float>((static_cast<double>(i) / 255 - mean) / std);
  }
  return table;
}

using Normalisation = std::array<std::array<float, 256>, 3>;  // by channel

// The patch at `corner`, to `out` as [3, patch_size, patch_size]; rows lie `row_bytes` apart.
void write_patch(const std::uint8_t* corner, std::size_t row_bytes, std::size_t patch_size,
                 const Normalisation& table, float* out) {
  for (std::size_t channel = 0; channel < 3; ++channel) {
    for (std::size_t y = 0; y < patch_size; ++y) {
      const std::uint8_t* pixel = corner + y * row_bytes + channel;
      for (std::size_t x = 0; x < patch_size; ++x) *out++ = table[channel][pixel[3 * x]];
    }
  }
}

}  // namespace

Status validate(const PreprocessConfig& config) {
  const PixelLimits& limits = config.limits;
  if (limits.min_pixels < 1 || limits.min_pixels > limits.max_pixels || limits.max_pixels > kMostPixels) {
    return fail(ErrorCode::kBadInput, "image size from {} to {} pixels: Belay takes 1 or more, at most {}",
                limits.min_pixels, limits.max_pixels, kMostPixels);
  }
  if (config.patch_size < 1 || config.patch_size > kMaxPatchSize) {
    return fail(ErrorCode::kBadInput, "patch_size is {}; it must be from 1 to {}", config.patch_size,
                kMaxPatchSize);
  }
  if (config.merge_size < 1 || config.merge_size > kMaxMergeSize) {
    return fail(ErrorCode::kBadInput, "merge_size is {}; it must be from 1 to {}", config.merge_size,
                kMaxMergeSize);
  }
  const auto finite = [](float value) { return std::isfinite(value); };
  const auto divides = [](float value) { return std::isnormal(value) && value > 0; };
  if (!std::all_of(config.mean.begin(), config.mean.end(), finite) ||
      !std::all_of(config.std.begin(), config.std.end(), divides)) {
    return fail(ErrorCode::kBadInput,
                "image_mean [{}] and image_std [{}]: three numbers each, image_std above 0",
                join(config.mean, ", "), join(config.std, ", "));
  }
  return {};
}

// In doubles and in this order of operations, for the results at the edges are the reference's.
Result<Size> smart_resize(Size size, const PreprocessConfig& config) {
  assert(size.pixels() > 0 && config.limits.min_pixels > 0);
  const double height = size.height, width = size.width, factor = config.factor();
  const auto min_pixels = static_cast<double>(config.limits.min_pixels);
  const auto max_pixels = static_cast<double>(config.limits.max_pixels);
  const double ratio = std::max(height, width) / std::min(height, width);
  if (ratio > kMaxRatio) {
    return fail(ErrorCode::kBadInput,
                "{} x {} pixels: one side is {:.0f} times the other, the model reads up to {:.0f} times; "
                "crop the image",
                size.width, size.height, ratio, kMaxRatio);
  }
  double out_height = std::nearbyint(height / factor) * factor;  // half to even
  double out_width = std::nearbyint(width / factor) * factor;
  if (out_height * out_width > max_pixels) {
    const double beta = std::sqrt(height * width / max_pixels);
    out_height = std::max(factor, std::floor(height / beta / factor) * factor);
    out_width = std::max(factor, std::floor(width / beta / factor) * factor);
  } else if (out_height * out_width <
             min_pixels) {  // a side that rounded to 0 as well: min_pixels is at least 1
    const double beta = std::sqrt(min_pixels / (height * width));
    out_height = std::ceil(height * beta / factor) * factor;
    out_width = std::ceil(width * beta / factor) * factor;
  }
  return Size{static_cast<std::uint32_t>(out_height), static_cast<std::uint32_t>(out_width)};
}

PatchedImage patchify(const Image& image, const PreprocessConfig& config) {
  assert(image.size.height % config.factor() == 0 && image.size.width % config.factor() == 0);
  const std::size_t patch = config.patch_size, merge = config.merge_size;
  const std::size_t row_bytes = std::size_t{3} * image.size.width;
  Normalisation table{};
  for (std::size_t c = 0; c < 3; ++c) table[c] = normalisation(config.mean[c], config.std[c]);

  PatchedImage patched{
      image.size.height / config.patch_size, image.size.width / config.patch_size, config.patch_size, {}};
  patched.patches.resize(image.rgb.size());
  float* out = patched.patches.data();
  for (std::size_t block_y = 0; block_y < patched.grid_h; block_y += merge) {
    for (std::size_t block_x = 0; block_x < patched.grid_w; block_x += merge) {
      for (std::size_t i = 0; i < merge * merge; ++i, out += 3 * patch * patch) {
        const std::size_t row = block_y + i / merge, column = block_x + i % merge;
        const std::uint8_t* corner = image.rgb.data() + row * patch * row_bytes + column * patch * 3;
        write_patch(corner, row_bytes, patch, table, out);
      }
    }
  }
  return patched;
}

std::vector<float> pixel_values(const PatchedImage& patched) {
  const std::size_t plane = std::size_t{patched.patch_size} * patched.patch_size;  // one channel of one patch
  std::vector<float> values;
  values.reserve(2 * patched.patches.size());
  for (auto from = patched.patches.begin(); from != patched.patches.end();) {
    const auto end = from + static_cast<std::ptrdiff_t>(plane);
    values.insert(values.end(), from, end);
    values.insert(values.end(), from, end);
    from = end;
  }
  return values;
}

Result<PatchedImage> preprocess(const Image& image, const PreprocessConfig& config) {
  auto size = smart_resize(image.size, config);
  if (!size.ok()) return fail(size.error().code, "{}: {}", printable(image.name, 400), size.error().message);
  return patchify(resize_bicubic(image, *size), config);
}

}  // namespace belay::images
