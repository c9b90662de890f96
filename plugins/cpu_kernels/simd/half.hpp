// IEEE half floats one at a time, by integers, for instruction sets without the conversion.
#pragma once

#include <bit>
#include <cstdint>

namespace belay::BELAY_ISA {

inline float half_to_float(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16;
  const uint32_t rest = (half & 0x7fffu) << 13;
  // The exponent moves from bias 15 to 127; the product normalises denormals.
  uint32_t bits = std::bit_cast<uint32_t>(std::bit_cast<float>(rest) * 0x1p112f);
  if (rest >= (0x7c00u << 13)) bits = rest | 0x7f800000u;
  return std::bit_cast<float>(bits | sign);
}

// Rounds to nearest, ties to even; overflows to infinity; NaN stays NaN.
inline uint16_t float_to_half(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t rest = bits & 0x7fffffffu;
  uint32_t half = 0;
  if (rest > 0x7f800000u) {
    half = 0x7e00u | ((rest >> 13) & 0x3ffu);
  } else if (rest >= 0x477ff000u) {
    half = 0x7c00u;
  } else if (rest < 0x38800000u) {
    // Below the normal halves: adding 0.5 puts the wanted bits at the bottom, rounded by the addition.
    half = std::bit_cast<uint32_t>(std::bit_cast<float>(rest) + 0.5f) - 0x3f000000u;
  } else {
    half = (rest - (112u << 23) + 0xfffu + ((rest >> 13) & 1u)) >> 13;
  }
  return static_cast<uint16_t>(half | sign);
}

}  // namespace belay::BELAY_ISA
