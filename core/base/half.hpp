// The 16-bit floating-point types of weight files, IEEE half and bfloat16, one value at a time. Pure; any
// thread. To 16 bits: rounded to nearest, ties to even; what is too large becomes infinity, NaN stays NaN.
#pragma once

#include <bit>
#include <cstdint>

namespace belay {

// The largest finite half.
inline constexpr float kMaxHalf = 65504.0F;

[[nodiscard]] constexpr float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16U;
  const std::uint32_t rest = (half & 0x7FFFU) << 13U;
  // The exponent moves from bias 15 to 127; the product also normalises denormals.
  std::uint32_t bits = std::bit_cast<std::uint32_t>(std::bit_cast<float>(rest) * 0x1p112F);
  if (rest >= 0x7C00U << 13U) bits = rest | 0x7F800000U;
  return std::bit_cast<float>(bits | sign);
}

[[nodiscard]] constexpr std::uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16U) & 0x8000U;
  const std::uint32_t rest = bits & 0x7FFFFFFFU;
  std::uint32_t half = 0;
  if (rest > 0x7F800000U) {
    half = 0x7E00U | ((rest >> 13U) & 0x3FFU);
  } else if (rest >= 0x477FF000U) {  // 65520, half way from the largest half to the next
    half = 0x7C00U;
  } else if (rest < 0x38800000U) {
    // Below the normal halves: adding 0.5 puts the wanted bits at the bottom, rounded by the addition.
    half = std::bit_cast<std::uint32_t>(std::bit_cast<float>(rest) + 0.5F) - 0x3F000000U;
  } else {
    half = (rest - (112U << 23U) + 0xFFFU + ((rest >> 13U) & 1U)) >> 13U;
  }
  return static_cast<std::uint16_t>(half | sign);
}

[[nodiscard]] constexpr float bfloat16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16U);
}

[[nodiscard]] constexpr std::uint16_t float_to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>((bits >> 16U) | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U);
}

}  // namespace belay
