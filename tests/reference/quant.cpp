#include "tests/reference/quant.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace belay::reference {
namespace {

using Bytes = std::span<const std::uint8_t>;

std::uint16_t read_u16(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] | (bytes[at + 1] << 8));
}

std::uint32_t read_u32(Bytes bytes, std::size_t at) {
  return read_u16(bytes, at) | (static_cast<std::uint32_t>(read_u16(bytes, at + 2)) << 16);
}

double read_half(Bytes bytes, std::size_t at) { return half_to_double(read_u16(bytes, at)); }

int read_i8(Bytes bytes, std::size_t at) { return static_cast<std::int8_t>(bytes[at]); }

int low_nibble(std::uint8_t byte) { return byte & 15; }
int high_nibble(std::uint8_t byte) { return byte >> 4; }

// scale * (q - offset) + minimum
void append(Dequantised& to, double scale, int q, int offset = 0, double minimum = 0.0) {
  const double size = std::fabs(scale);
  to.values.push_back(scale * (q - offset) + minimum);
  to.magnitudes.push_back(size * std::abs(q - offset) + std::fabs(minimum));
  to.split_magnitudes.push_back(size * (std::abs(q) + offset) + std::fabs(minimum));
}

void decode_plain(DType dtype, Bytes block, Dequantised& to) {
  if (dtype == DType::kF16) return append(to, half_to_double(read_u16(block, 0)), 1);
  if (dtype == DType::kBF16) return append(to, bfloat16_to_double(read_u16(block, 0)), 1);
  const std::uint32_t bits = read_u32(block, 0);
  float value = 0.0F;
  std::memcpy(&value, &bits, sizeof value);
  append(to, static_cast<double>(value), 1);
}

void decode_q8_0(Bytes block, Dequantised& to) {
  const double d = read_half(block, 0);
  for (std::size_t j = 0; j < 32; ++j) append(to, d, read_i8(block, 2 + j));
}

void decode_q4_0(Bytes block, Dequantised& to) {
  const double d = read_half(block, 0);
  for (std::size_t j = 0; j < 16; ++j) append(to, d, low_nibble(block[2 + j]), 8);
  for (std::size_t j = 0; j < 16; ++j) append(to, d, high_nibble(block[2 + j]), 8);
}

void decode_q4_1(Bytes block, Dequantised& to) {
  const double d = read_half(block, 0);
  const double m = read_half(block, 2);
  for (std::size_t j = 0; j < 16; ++j) append(to, d, low_nibble(block[4 + j]), 0, m);
  for (std::size_t j = 0; j < 16; ++j) append(to, d, high_nibble(block[4 + j]), 0, m);
}

// The fifth bit of value j is bit j of `high_bits`.
int five_bits(int nibble, std::uint32_t high_bits, std::size_t j) {
  return nibble | static_cast<int>(((high_bits >> j) & 1U) << 4);
}

void decode_q5_0(Bytes block, Dequantised& to) {
  const double d = read_half(block, 0);
  const std::uint32_t high = read_u32(block, 2);
  for (std::size_t j = 0; j < 16; ++j) append(to, d, five_bits(low_nibble(block[6 + j]), high, j), 16);
  for (std::size_t j = 0; j < 16; ++j) append(to, d, five_bits(high_nibble(block[6 + j]), high, j + 16), 16);
}

void decode_q5_1(Bytes block, Dequantised& to) {
  const double d = read_half(block, 0);
  const double m = read_half(block, 2);
  const std::uint32_t high = read_u32(block, 4);
  for (std::size_t j = 0; j < 16; ++j) append(to, d, five_bits(low_nibble(block[8 + j]), high, j), 0, m);
  for (std::size_t j = 0; j < 16; ++j)
    append(to, d, five_bits(high_nibble(block[8 + j]), high, j + 16), 0, m);
}

struct ScaleMin {
  int scale;
  int min;
};

// The 6-bit scale and minimum of sub-block j (0..7) out of the 12 bytes s.
ScaleMin scale_min(Bytes s, std::size_t j) {
  if (j < 4) return {s[j] & 63, s[j + 4] & 63};
  return {(s[j + 4] & 15) | ((s[j - 4] >> 6) << 4), (s[j + 4] >> 4) | ((s[j] >> 6) << 4)};
}

void decode_q4_k(Bytes block, Dequantised& to) {
  const double d = read_half(block, 0);
  const double dmin = read_half(block, 2);
  const Bytes qs = block.subspan(16, 128);
  for (std::size_t sub = 0; sub < 8; ++sub) {
    const ScaleMin sm = scale_min(block.subspan(4, 12), sub);
    for (std::size_t i = 0; i < 32; ++i) {
      const std::uint8_t byte = qs[32 * (sub / 2) + i];
      const int q = sub % 2 == 0 ? low_nibble(byte) : high_nibble(byte);
      append(to, d * sm.scale, q, 0, -dmin * sm.min);
    }
  }
}

void decode_q5_k(Bytes block, Dequantised& to) {
  const double d = read_half(block, 0);
  const double dmin = read_half(block, 2);
  const Bytes qh = block.subspan(16, 32);
  const Bytes qs = block.subspan(48, 128);
  for (std::size_t sub = 0; sub < 8; ++sub) {
    const ScaleMin sm = scale_min(block.subspan(4, 12), sub);
    for (std::size_t i = 0; i < 32; ++i) {
      const std::uint8_t byte = qs[32 * (sub / 2) + i];
      const int nibble = sub % 2 == 0 ? low_nibble(byte) : high_nibble(byte);
      const int q = nibble | (((qh[i] >> sub) & 1) << 4);
      append(to, d * sm.scale, q, 0, -dmin * sm.min);
    }
  }
}

// Value `index` (0..255) of a Q6_K block: 4 bits of ql and 2 bits of qh.
int six_bits(Bytes block, std::size_t index) {
  const std::size_t half = index / 128;
  const std::size_t quarter = (index % 128) / 32;
  const std::size_t l = index % 32;
  const std::uint8_t low = block[64 * half + l + 32 * (quarter % 2)];
  const int nibble = quarter < 2 ? low_nibble(low) : high_nibble(low);
  const int top = (block[128 + 32 * half + l] >> (2 * quarter)) & 3;
  return nibble | (top << 4);
}

void decode_q6_k(Bytes block, Dequantised& to) {
  const double d = read_half(block, 208);
  for (std::size_t index = 0; index < 256; ++index) {
    const int scale = read_i8(block, 192 + index / 16);
    append(to, d * scale, six_bits(block, index), 32);
  }
}

void decode_block(DType dtype, Bytes block, Dequantised& to) {
  switch (dtype) {
    case DType::kQ8_0:
      return decode_q8_0(block, to);
    case DType::kQ4_0:
      return decode_q4_0(block, to);
    case DType::kQ4_1:
      return decode_q4_1(block, to);
    case DType::kQ5_0:
      return decode_q5_0(block, to);
    case DType::kQ5_1:
      return decode_q5_1(block, to);
    case DType::kQ4_K:
      return decode_q4_k(block, to);
    case DType::kQ5_K:
      return decode_q5_k(block, to);
    case DType::kQ6_K:
      return decode_q6_k(block, to);
    default:
      return decode_plain(dtype, block, to);
  }
}

}  // namespace

double half_to_double(std::uint16_t bits) {
  const double sign = (bits & 0x8000U) != 0 ? -1.0 : 1.0;
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  if (exponent == 31) {
    return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

std::uint16_t double_to_half(double value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000U : 0U);
  const double size = std::fabs(value);
  if (std::isnan(value)) return 0x7E00U;
  if (size == 0.0) return sign;
  if (size >= 65520.0) return sign | 0x7C00U;  // half way between the largest half and the next
  int exponent = 0;
  std::frexp(size, &exponent);                            // size = f * 2^exponent, f in [0.5, 1)
  const int ulp_exponent = std::max(exponent - 11, -24);  // 11 bits of significand, denormals below 2^-14
  const double ulps = std::nearbyint(std::ldexp(size, -ulp_exponent));  // ties to even, the default rounding
  if (ulp_exponent == -24) return sign | static_cast<std::uint16_t>(ulps);
  // A carry to 2048 ulps increments the exponent field by itself.
  return sign | static_cast<std::uint16_t>(((ulp_exponent + 24) << 10) + static_cast<int>(ulps));
}

double bfloat16_to_double(std::uint16_t bits) {
  const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
  float value = 0.0F;
  std::memcpy(&value, &wide, sizeof value);
  return static_cast<double>(value);
}

std::uint16_t float_to_bfloat16(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  const std::uint32_t round = 0x7FFFU + ((bits >> 16) & 1U);
  return static_cast<std::uint16_t>((bits + round) >> 16);
}

Dequantised dequantise(DType dtype, std::span<const std::uint8_t> bytes) {
  const DTypeInfo& row = info(dtype);
  Dequantised result;
  const std::size_t blocks = bytes.size() / row.block_bytes;
  result.values.reserve(blocks * row.block_elems);
  result.magnitudes.reserve(blocks * row.block_elems);
  result.split_magnitudes.reserve(blocks * row.block_elems);
  for (std::size_t b = 0; b < blocks; ++b) {
    decode_block(dtype, bytes.subspan(b * row.block_bytes, row.block_bytes), result);
  }
  return result;
}

}  // namespace belay::reference
