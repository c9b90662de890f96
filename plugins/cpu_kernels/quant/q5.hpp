// The simple 5-bit formats, 32 values a block; nibbles as in q4.hpp, and bit i of a little-endian u32 is the
// fifth bit of value i.
//   Q5_0: 22 bytes: half d, u32 high, q[16];          value d*(q - 16)
//   Q5_1: 24 bytes: half d, half m, u32 high, q[16];  value d*q + m
#pragma once

#include "plugins/cpu_kernels/quant/format.hpp"

namespace belay::BELAY_ISA {

struct Q5_0 {
  static constexpr int kDtype = BELAY_DTYPE_Q5_0;
  static constexpr int kBlock = 32;
  static constexpr int kBytes = 22;
  static constexpr int kGroup = 32;
  static constexpr bool kSigned = false;
  static constexpr int kBits = 5;
  static constexpr int kHalves[] = {0};
  static constexpr int kSmallBits = 0;
  static constexpr int kZero = 16;

  static Bytes quants(const uint8_t* block, int) {
    return load_nibbles(block + 6) | spread_bits(block + 2, 16);
  }
  static void affine(const Rows& rows, F32* scale, F32* offset) {
    scale[0] = gather_f16(rows, 0);
    offset[0] = scale[0] * splat(-16.0f);
  }
};

struct Q5_1 {
  static constexpr int kDtype = BELAY_DTYPE_Q5_1;
  static constexpr int kBlock = 32;
  static constexpr int kBytes = 24;
  static constexpr int kGroup = 32;
  static constexpr bool kSigned = false;
  static constexpr int kBits = 5;
  static constexpr int kHalves[] = {0, 2};
  static constexpr int kSmallBits = 0;
  static constexpr int kZero = 0;

  static Bytes quants(const uint8_t* block, int) {
    return load_nibbles(block + 8) | spread_bits(block + 4, 16);
  }
  static void affine(const Rows& rows, F32* scale, F32* offset) {
    scale[0] = gather_f16(rows, 0);
    offset[0] = gather_f16(rows, 2);
  }
};

}  // namespace belay::BELAY_ISA
