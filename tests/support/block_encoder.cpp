// Layouts: plugins' block formats as GGUF defines them; see sdk/include/belay/tensor.h.
#include "tests/support/block_encoder.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace belay::test {
namespace {

using Bytes = std::vector<std::byte>;
using Values = std::span<const float>;

constexpr std::size_t kBlock = 32;

void put_u8(Bytes& out, std::uint32_t value) { out.push_back(static_cast<std::byte>(value & 0xFFU)); }

void put_u16(Bytes& out, std::uint32_t value) {
  put_u8(out, value);
  put_u8(out, value >> 8U);
}

void put_u32(Bytes& out, std::uint32_t value) {
  put_u16(out, value);
  put_u16(out, value >> 16U);
}

float half_value(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1F;
  const auto fraction = static_cast<float>(bits & 0x3FFU);
  const float size =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024.0F, exponent - 25);
  return (bits & 0x8000U) != 0 ? -size : size;
}

std::uint32_t bf16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return (bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U;
}

// The whole number nearest to value / step, inside [low, high].
int nearest(float value, float step, int low, int high) {
  if (step == 0) return std::clamp(0, low, high);
  return std::clamp(static_cast<int>(std::lround(value / step)), low, high);
}

// The low nibbles belong to the first half of a block, the high ones to the second.
void put_nibbles(Bytes& out, const std::array<std::uint32_t, kBlock>& codes) {
  for (std::size_t j = 0; j < kBlock / 2; ++j)
    put_u8(out, (codes[j] & 15U) | ((codes[j + kBlock / 2] & 15U) << 4U));
}

void put_fifth_bits(Bytes& out, const std::array<std::uint32_t, kBlock>& codes) {
  std::uint32_t bits = 0;
  for (std::size_t j = 0; j < kBlock; ++j) bits |= (codes[j] >> 4U) << j;
  put_u32(out, bits);
}

// d * (q - 2^(bits-1)): Q4_0 and Q5_0. The value of largest size meets the end of the range that lies further
// out.
void put_symmetric(Bytes& out, Values block, int bits) {
  const float extreme = *std::max_element(block.begin(), block.end(),
                                          [](float a, float b) { return std::abs(a) < std::abs(b); });
  const int half = 1 << (bits - 1);
  const std::uint16_t d = half_bits(extreme / static_cast<float>(-half));
  std::array<std::uint32_t, kBlock> codes = {};
  for (std::size_t j = 0; j < kBlock; ++j) {
    codes[j] = static_cast<std::uint32_t>(nearest(block[j], half_value(d), -half, half - 1) + half);
  }
  put_u16(out, d);
  if (bits == 5) put_fifth_bits(out, codes);
  put_nibbles(out, codes);
}

// d * q + m: Q4_1 and Q5_1.
void put_affine(Bytes& out, Values block, int bits) {
  const auto [low, high] = std::minmax_element(block.begin(), block.end());
  const int most = (1 << bits) - 1;
  const std::uint16_t d = half_bits((*high - *low) / static_cast<float>(most));
  const std::uint16_t m = half_bits(*low);
  std::array<std::uint32_t, kBlock> codes = {};
  for (std::size_t j = 0; j < kBlock; ++j) {
    codes[j] = static_cast<std::uint32_t>(nearest(block[j] - half_value(m), half_value(d), 0, most));
  }
  put_u16(out, d);
  put_u16(out, m);
  if (bits == 5) put_fifth_bits(out, codes);
  put_nibbles(out, codes);
}

void put_q8_0(Bytes& out, Values block) {
  float largest = 0;
  for (const float value : block) largest = std::max(largest, std::abs(value));
  const std::uint16_t d = half_bits(largest / 127.0F);
  put_u16(out, d);
  for (const float value : block)
    put_u8(out, static_cast<std::uint32_t>(nearest(value, half_value(d), -127, 127)));
}

void put_block(Bytes& out, DType dtype, Values block) {
  switch (dtype) {
    case DType::kF32:
      put_u32(out, std::bit_cast<std::uint32_t>(block[0]));
      break;
    case DType::kF16:
      put_u16(out, half_bits(block[0]));
      break;
    case DType::kBF16:
      put_u16(out, bf16_bits(block[0]));
      break;
    case DType::kQ8_0:
      put_q8_0(out, block);
      break;
    case DType::kQ4_0:
      put_symmetric(out, block, 4);
      break;
    case DType::kQ5_0:
      put_symmetric(out, block, 5);
      break;
    case DType::kQ4_1:
      put_affine(out, block, 4);
      break;
    case DType::kQ5_1:
      put_affine(out, block, 5);
      break;
    default:
      break;
  }
}

bool is_encodable(DType dtype) {
  constexpr std::array kTypes = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                                 DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1};
  return std::find(kTypes.begin(), kTypes.end(), dtype) != kTypes.end();
}

std::uint32_t draw(std::mt19937_64& random, std::uint32_t low, std::uint32_t high) {
  return low + static_cast<std::uint32_t>(random() % (high - low + 1));
}

double draw_real(std::mt19937_64& random, double low, double high) {
  return low + (high - low) * static_cast<double>(random() >> 11U) * 0x1p-53;
}

void put_random(Bytes& out, std::size_t count, std::mt19937_64& random) {
  for (std::size_t i = 0; i < count; ++i) put_u8(out, draw(random, 0, 255));
}

// Q4_K and Q5_K: eight sub-blocks, each with scale and minimum equal, so that dmin = d * (largest code) / 2
// centres it.
void put_q45_k(Bytes& out, bool five_bits, double spread, std::mt19937_64& random) {
  const double codes = five_bits ? 32 : 16;
  // 42 is the mean scale; codes are uniform, so their deviation is codes / sqrt(12).
  const double d = spread / (42 * codes / std::sqrt(12.0)) * draw_real(random, 0.8, 1.2);
  put_u16(out, half_bits(static_cast<float>(d)));
  put_u16(out, half_bits(static_cast<float>(d * (codes - 1) / 2)));
  std::array<std::uint32_t, 8> scales = {};
  for (std::uint32_t& scale : scales) scale = draw(random, 20, 63);
  const auto low_four = [&](std::size_t j) { return (scales[j] & 63U) | ((scales[j + 4] >> 4U) << 6U); };
  for (std::size_t j = 0; j < 4; ++j) put_u8(out, low_four(j));
  for (std::size_t j = 0; j < 4; ++j) put_u8(out, low_four(j));
  for (std::size_t j = 0; j < 4; ++j) put_u8(out, (scales[j + 4] & 15U) | ((scales[j + 4] & 15U) << 4U));
  put_random(out, five_bits ? 160 : 128, random);
}

void put_q6_k(Bytes& out, double spread, std::mt19937_64& random) {
  put_random(out, 192, random);
  for (int j = 0; j < 16; ++j) {
    const std::uint32_t scale = draw(random, 24, 63);
    put_u8(out, draw(random, 0, 1) == 0 ? scale : 256 - scale);
  }
  // 44 is the mean size of a scale, 18.5 the deviation of a code from -32 to 31.
  put_u16(out, half_bits(static_cast<float>(spread / (44 * 18.5) * draw_real(random, 0.8, 1.2))));
}

}  // namespace

std::uint16_t half_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16U) & 0x8000U);
  const float size = std::abs(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7E00U);
  if (size >= 65520.0F) return static_cast<std::uint16_t>(sign | 0x7C00U);  // rounds to infinity
  // Units of the last place: 2^-24 for subnormals, else 2^(exponent - 10).
  const int exponent = size < 0x1p-14F ? -14 : std::ilogb(size);
  const auto units = static_cast<std::uint32_t>(std::nearbyint(std::ldexp(size, 10 - exponent)));
  // Units that reach 2048 carry into the exponent by themselves; below 1024 the number is subnormal.
  return static_cast<std::uint16_t>(sign | ((static_cast<std::uint32_t>(exponent + 14) << 10U) + units));
}

std::vector<std::byte> encode(DType dtype, std::span<const float> values) {
  const std::size_t elems = info(dtype).block_elems;
  Bytes out;
  if (!is_encodable(dtype) || values.size() % elems != 0) return out;
  out.reserve(values.size() / elems * info(dtype).block_bytes);
  for (std::size_t at = 0; at < values.size(); at += elems) put_block(out, dtype, values.subspan(at, elems));
  return out;
}

std::vector<std::byte> random_k_blocks(DType dtype, std::size_t n_blocks, double spread,
                                       std::mt19937_64& random) {
  Bytes out;
  for (std::size_t i = 0; i < n_blocks; ++i) {
    if (dtype == DType::kQ6_K) {
      put_q6_k(out, spread, random);
    } else {
      put_q45_k(out, dtype == DType::kQ5_K, spread, random);
    }
  }
  return out;
}

}  // namespace belay::test
