// The search for scales follows ggml's reference quantisers step by step, roundings included; tests compare
// bytes.
#include "core/formats/quantize_k.hpp"

#include "core/base/half.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace belay::formats {
namespace {

// Differences below this are none; also keeps quotients finite.
constexpr float kTiny = 1e-15F;

// The nearest whole number, ties to even, of a value below 2^22 in size: this far up floats have no fraction.
float nearest(float value) {
  constexpr float kNoFraction = 0x1.8p23F;
  return (value + kNoFraction) - kNoFraction;
}

// The code nearest to `value` in low..high; low for NaN.
float code(float value, float low, float high) { return nearest(std::min(std::max(low, value), high)); }

std::uint32_t whole(float value) { return static_cast<std::uint32_t>(static_cast<int>(value)); }

void put_half(std::byte* at, std::uint16_t half) { std::memcpy(at, &half, sizeof half); }

// --- Q4_K: eight groups of 32, value = scale * code - minimum, code 0..15, minimum >= 0 ---

constexpr std::size_t kGroups = 8;
constexpr std::size_t kGroupSize = 32;
constexpr float kMostCode = 15;
constexpr float kMostScale = 63;  // six bits

using Group = std::span<const float, kGroupSize>;
using GroupValues = std::array<float, kGroupSize>;

// value = scale * code + offset
struct Line {
  float scale = 0;
  float offset = 0;
};

// What the search minimises is weighted by |x| plus the root mean square: large values count more, small ones
// not nothing.
GroupValues weights_of(Group x) {
  float squares = 0;
  for (const float value : x) squares += value * value;
  const float typical = std::sqrt(squares / kGroupSize);
  GroupValues weights;
  for (std::size_t i = 0; i < kGroupSize; ++i) weights[i] = typical + std::abs(x[i]);
  return weights;
}

GroupValues codes_of(Group x, float low, float steps) {
  GroupValues codes;
  for (std::size_t i = 0; i < kGroupSize; ++i) codes[i] = code(steps * (x[i] - low), 0, kMostCode);
  return codes;
}

float squared_error(Group x, const GroupValues& weights, const GroupValues& codes, const Line& line) {
  float error = 0;
  for (std::size_t i = 0; i < kGroupSize; ++i) {
    const float off = line.scale * codes[i] + line.offset - x[i];
    error += weights[i] * (off * off);
  }
  return error;
}

// The weighted least-squares line through (code, x) whose offset is not positive; the zero line when the
// codes are all the same.
Line fit(Group x, const GroupValues& weights, const GroupValues& codes) {
  float w = 0;
  float wx = 0;
  float wc = 0;
  float wcc = 0;
  float wcx = 0;
  for (std::size_t i = 0; i < kGroupSize; ++i) {
    const float weighted = weights[i] * codes[i];
    w += weights[i];
    wx += weights[i] * x[i];
    wc += weighted;
    wcc += weighted * codes[i];
    wcx += weighted * x[i];
  }
  const float determinant = w * wcc - wc * wc;
  if (determinant <= 0) return {};
  const Line line = {(w * wcx - wx * wc) / determinant, (wcc * wx - wc * wcx) / determinant};
  return line.offset > 0 ? Line{wcx / wcc, 0} : line;
}

// Tries grids from one step coarser than the range of the values to one finer, and keeps the line with the
// least error of those that fit the grids' codes best. As in the reference, a grid begins at the offset of
// the best line so far.
Line search_line(Group x) {
  const auto [smallest, largest] = std::minmax_element(x.begin(), x.end());
  const float low = std::min(*smallest, 0.0F);
  const float range = *largest - low;
  if (range < kTiny) return {0, low};
  const GroupValues weights = weights_of(x);
  const float steps = kMostCode / range;
  Line best = {1.0F / steps, low};
  float least = squared_error(x, weights, codes_of(x, low, steps), best);
  for (int i = 0; i <= 20; ++i) {
    const float n_steps = -1.0F + 0.1F * static_cast<float>(i) + kMostCode;
    const GroupValues codes = codes_of(x, best.offset, n_steps / (*largest - best.offset));
    const Line line = fit(x, weights, codes);
    if (line.scale == 0) continue;
    const float error = squared_error(x, weights, codes, line);
    if (error < least) {
      least = error;
      best = line;
    }
  }
  return best;
}

// Six bits each of eight scales and eight minima in twelve bytes.
void put_scales(std::byte* out, const std::array<float, kGroups>& scales,
                const std::array<float, kGroups>& minima) {
  std::array<std::uint32_t, 12> packed = {};
  for (std::size_t j = 0; j < 4; ++j) {
    const std::uint32_t scale = whole(scales[j + 4]);
    const std::uint32_t minimum = whole(minima[j + 4]);
    packed[j] = whole(scales[j]) | (scale >> 4U) << 6U;
    packed[j + 4] = whole(minima[j]) | (minimum >> 4U) << 6U;
    packed[j + 8] = (scale & 15U) | (minimum & 15U) << 4U;
  }
  for (std::size_t i = 0; i < packed.size(); ++i) out[i] = static_cast<std::byte>(packed[i]);
}

// --- Q6_K: sixteen runs of 16, value = scale * code, code -32..31 ---

constexpr std::size_t kRuns = 16;
constexpr std::size_t kRunSize = 16;
constexpr float kLowest = -32;
constexpr float kHighest = 31;

using Run = std::span<const float, kRunSize>;

// x against its codes at a given number of steps for 1, weighted by x squared.
struct Match {
  float xc = 0;
  float cc = 0;
};

Match match(Run x, float steps) {
  Match sums;
  for (const float value : x) {
    const float c = code(steps * value, kLowest, kHighest);
    const float weight = value * value;
    sums.xc += weight * value * c;
    sums.cc += weight * c * c;
  }
  return sums;
}

// Grids that put the value of largest size at -31.1 to -32.9; the scale, with its sign, of the one that
// explains most of x.
float search_scale(Run x) {
  float extreme = 0;
  for (const float value : x) extreme = std::abs(value) > std::abs(extreme) ? value : extreme;
  if (std::abs(extreme) < kTiny) return 0;
  const Match middle = match(x, kLowest / extreme);
  float scale = middle.cc != 0 ? middle.xc / middle.cc : 0.0F;
  float best = scale * middle.xc;
  for (int i = -9; i <= 9; ++i) {
    const Match sums = match(x, (kLowest - 0.1F * static_cast<float>(i)) / extreme);
    if (sums.cc > 0 && sums.xc * sums.xc > best * sums.cc) {
      scale = sums.xc / sums.cc;
      best = scale * sums.xc;
    }
  }
  return scale;
}

// Four low bits of two codes in a byte of the first 128, two high bits of four codes in one of the next 64.
void put_six_bits(std::byte* out, const std::array<std::uint32_t, 256>& codes) {
  for (std::size_t half = 0; half < 2; ++half) {
    for (std::size_t i = 0; i < 32; ++i) {
      const std::uint32_t* c = codes.data() + 128 * half + i;
      out[64 * half + i] = static_cast<std::byte>((c[0] & 15U) | (c[64] & 15U) << 4U);
      out[64 * half + 32 + i] = static_cast<std::byte>((c[32] & 15U) | (c[96] & 15U) << 4U);
      out[128 + 32 * half + i] = static_cast<std::byte>((c[0] >> 4U) | (c[32] >> 4U) << 2U |
                                                        (c[64] >> 4U) << 4U | (c[96] >> 4U) << 6U);
    }
  }
}

}  // namespace

void encode_q4_k(std::span<const float, 256> x, std::span<std::byte, 144> out) {
  std::array<float, kGroups> scales = {};
  std::array<float, kGroups> minima = {};
  for (std::size_t j = 0; j < kGroups; ++j) {
    const Line line = search_line(x.subspan(j * kGroupSize).first<kGroupSize>());
    scales[j] = line.scale;
    minima[j] = -line.offset;
  }
  const float largest_scale = std::max(0.0F, *std::max_element(scales.begin(), scales.end()));
  const float largest_minimum = std::max(0.0F, *std::max_element(minima.begin(), minima.end()));
  const std::uint16_t d = float_to_half(largest_scale / kMostScale);
  const std::uint16_t dmin = float_to_half(largest_minimum / kMostScale);
  const float scale_steps = largest_scale > 0 ? kMostScale / largest_scale : 0.0F;
  const float minimum_steps = largest_minimum > 0 ? kMostScale / largest_minimum : 0.0F;
  std::array<std::uint32_t, 256> codes = {};
  for (std::size_t j = 0; j < kGroups; ++j) {
    scales[j] = code(scale_steps * scales[j], 0, kMostScale);
    minima[j] = code(minimum_steps * minima[j], 0, kMostScale);
    const float scale = half_to_float(d) * scales[j];
    if (scale == 0) continue;
    const float minimum = half_to_float(dmin) * minima[j];
    for (std::size_t i = j * kGroupSize; i < (j + 1) * kGroupSize; ++i)
      codes[i] = whole(code((x[i] + minimum) / scale, 0, kMostCode));
  }
  put_half(out.data(), d);
  put_half(out.data() + 2, dmin);
  put_scales(out.data() + 4, scales, minima);
  for (std::size_t i = 0; i < 128; ++i) {
    const std::size_t at = i / 32 * 64 + i % 32;  // groups 2k and 2k + 1 share the bytes 32k to 32k + 31
    out[16 + i] = static_cast<std::byte>(codes[at] | codes[at + 32] << 4U);
  }
}

void encode_q6_k(std::span<const float, 256> x, std::span<std::byte, 210> out) {
  std::array<float, kRuns> scales = {};
  float extreme = 0;
  for (std::size_t j = 0; j < kRuns; ++j) {
    scales[j] = search_scale(x.subspan(j * kRunSize).first<kRunSize>());
    if (std::abs(scales[j]) > std::abs(extreme)) extreme = scales[j];
  }
  if (std::abs(extreme) < kTiny) {
    std::fill(out.begin(), out.end(), std::byte{0});
    return;
  }
  const float steps = -128.0F / extreme;
  const std::uint16_t d = float_to_half(1.0F / steps);
  std::array<std::uint32_t, 256> codes = {};
  for (std::size_t j = 0; j < kRuns; ++j) {
    const float multiple = code(steps * scales[j], -128, 127);
    out[192 + j] = static_cast<std::byte>(static_cast<int>(multiple));
    const float scale = half_to_float(d) * multiple;
    for (std::size_t i = j * kRunSize; i < (j + 1) * kRunSize; ++i) {
      const float c = scale == 0 ? 0.0F : code(x[i] / scale, kLowest, kHighest);
      codes[i] = whole(c - kLowest);
    }
  }
  put_six_bits(out.data(), codes);
  put_half(out.data() + 208, d);
}

}  // namespace belay::formats
