// Pillow's resampler of 8-bit images, up to version 12: two passes, weights in fixed point, a byte between
// the passes.
#include "core/images/preprocess.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

namespace belay::images {
namespace {

// Weights are integers of 2^-22: times 255 and summed, with lobes below zero, they stay below 2^31.
constexpr int kWeightBits = 22;
constexpr std::int32_t kHalf = 1 << (kWeightBits - 1);

std::uint8_t rounded(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));  // an arithmetic shift
}

double bicubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0;
}

// Which inputs make up an output of a pass along one axis.
struct Taps {
  std::size_t first, count;
  const std::int32_t* weights;  // into Pass::weights
};

struct Pass {
  std::vector<Taps> taps;  // by output
  std::vector<std::int32_t> weights;
};

// The sums and products are the reference's in their order, so that every weight is its weight.
Pass make_pass(std::uint32_t inputs, std::uint32_t outputs) {
  const double scale = static_cast<double>(inputs) / outputs;
  const double filter_scale = std::max(scale, 1.0);
  const double support = 2 * filter_scale;
  const auto most = static_cast<std::size_t>(2 * support + 2);
  Pass pass{{}, std::vector<std::int32_t>(most * outputs)};
  pass.taps.reserve(outputs);
  std::vector<double> exact(most);
  for (std::uint32_t i = 0; i < outputs; ++i) {
    const double centre = (i + 0.5) * scale;
    const double left = centre - support, right = centre + support;
    const auto first = static_cast<std::size_t>(std::max(std::trunc(left + 0.5), 0.0));
    const auto end = static_cast<std::size_t>(std::min(std::trunc(right + 0.5), static_cast<double>(inputs)));
    const std::size_t count = end - first;
    assert(count <= most);
    double sum = 0;
    for (std::size_t j = 0; j < count; ++j) {
      exact[j] = bicubic((static_cast<double>(first + j) - centre + 0.5) / filter_scale);
      sum += exact[j];
    }
    std::int32_t* weights = pass.weights.data() + most * i;
    for (std::size_t j = 0; j < count; ++j) {
      const double weight = exact[j] / sum * (1 << kWeightBits);
      weights[j] = static_cast<std::int32_t>(weight + (exact[j] >= 0 ? 0.5 : -0.5));
    }
    pass.taps.push_back({first, count, weights});
  }
  return pass;
}

void resize_row(const std::uint8_t* in, const Pass& pass, std::uint8_t* out) {
  for (const Taps& taps : pass.taps) {
    std::int32_t red = kHalf, green = kHalf, blue = kHalf;
    const std::uint8_t* pixel = in + 3 * taps.first;
    for (std::size_t j = 0; j < taps.count; ++j, pixel += 3) {
      red += pixel[0] * taps.weights[j];
      green += pixel[1] * taps.weights[j];
      blue += pixel[2] * taps.weights[j];
    }
    *out++ = rounded(red);
    *out++ = rounded(green);
    *out++ = rounded(blue);
  }
}

// One output row from the rows in `taps`, a strip at a time whose sums stay in the L1 cache.
void blend_rows(const std::uint8_t* in, std::size_t row_bytes, const Taps& taps, std::uint8_t* out) {
  constexpr std::size_t kStrip = 2048;
  std::array<std::int32_t, kStrip> sums;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  for (std::size_t start = 0; start < row_bytes; start += kStrip) {
    const std::size_t width = std::min(kStrip, row_bytes - start);
    std::fill_n(sums.begin(), width, kHalf);
    for (std::size_t j = 0; j < taps.count; ++j) {
      const std::uint8_t* row = in + (taps.first + j) * row_bytes + start;
      const std::int32_t weight = taps.weights[j];
      for (std::size_t x = 0; x < width; ++x) sums[x] += row[x] * weight;
    }
    for (std::size_t x = 0; x < width; ++x) out[start + x] = rounded(sums[x]);
  }
}

Image resize_width(const Image& image, std::uint32_t width) {
  Image resized{image.name, {image.size.height, width}, {}};
  resized.rgb.resize(3 * resized.size.pixels());
  const Pass pass = make_pass(image.size.width, width);
  const std::size_t in_bytes = std::size_t{3} * image.size.width, out_bytes = std::size_t{3} * width;
  for (std::size_t y = 0; y < image.size.height; ++y) {
    resize_row(image.rgb.data() + y * in_bytes, pass, resized.rgb.data() + y * out_bytes);
  }
  return resized;
}

Image resize_height(const Image& image, std::uint32_t height) {
  Image resized{image.name, {height, image.size.width}, {}};
  resized.rgb.resize(3 * resized.size.pixels());
  const Pass pass = make_pass(image.size.height, height);
  const std::size_t row_bytes = std::size_t{3} * image.size.width;
  for (std::size_t y = 0; y < height; ++y) {
    blend_rows(image.rgb.data(), row_bytes, pass.taps[y], resized.rgb.data() + y * row_bytes);
  }
  return resized;
}

}  // namespace

Image resize_bicubic(const Image& image, Size size) {
  assert(image.size.pixels() > 0 && size.pixels() > 0);
  if (image.size.width == size.width) {
    return image.size.height == size.height ? image : resize_height(image, size.height);
  }
  const Image narrowed = resize_width(image, size.width);
  return narrowed.size.height == size.height ? narrowed : resize_height(narrowed, size.height);
}

}  // namespace belay::images
