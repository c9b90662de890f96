// The simple 4-bit formats, 32 values a block; the low nibbles of q[16] are values 0..15, the high
// ones 16..31.
//   Q4_0: 18 bytes: half d, q;          value d*(q - 8)
//   Q4_1: 20 bytes: half d, half m, q;  value d*q + m
#pragma once

#include "plugins/cpu_kernels/quant/format.hpp"

namespace belay::BELAY_ISA {

struct Q4_0 {
  static constexpr int kDtype = BELAY_DTYPE_Q4_0;
  static constexpr int kBlock = 32;
  static constexpr int kBytes = 18;
  static constexpr int kGroup = 32;
  static constexpr bool kSigned = false;
  static constexpr int kBits = 4;
  static constexpr int kHalves[] = {0};
  static constexpr int kSmallBits = 0;
  static constexpr int kZero = 8;

  static Bytes quants(const uint8_t* block, int) { return load_nibbles(block + 2); }
  static void affine(const Rows& rows, F32* scale, F32* offset) {
    scale[0] = gather_f16(rows, 0);
    offset[0] = scale[0] * splat(-8.0f);
  }
};

struct Q4_1 {
  static constexpr int kDtype = BELAY_DTYPE_Q4_1;
  static constexpr int kBlock = 32;
  static constexpr int kBytes = 20;
  static constexpr int kGroup = 32;
  static constexpr bool kSigned = false;
  static constexpr int kBits = 4;
  static constexpr int kHalves[] = {0, 2};
  static constexpr int kSmallBits = 0;
  static constexpr int kZero = 0;

  static Bytes quants(const uint8_t* block, int) { return load_nibbles(block + 4); }
  static void affine(const Rows& rows, F32* scale, F32* offset) {
    scale[0] = gather_f16(rows, 0);
    offset[0] = gather_f16(rows, 2);
  }
};

}  // namespace belay::BELAY_ISA
