// Q6_K: 256 values in 210 bytes: low[128], high[64], i8 scale[16], half d; value d*scale[i/16]*(q - 32).
// In each half of 128 values, run j of 32 (j = 0..3) has its low nibbles in low[32*(j%2)..], the low ones for
// j < 2 and the high ones for j >= 2, and its upper two bits in bits 2j, 2j+1 of high[0..31].
#pragma once

#include "plugins/cpu_kernels/quant/format.hpp"

namespace belay::BELAY_ISA {

struct Q6_K {
  static constexpr int kDtype = BELAY_DTYPE_Q6_K;
  static constexpr int kBlock = 256;
  static constexpr int kBytes = 210;
  static constexpr int kGroup = 16;
  static constexpr bool kSigned = false;
  static constexpr int kBits = 6;
  static constexpr int kHalves[] = {208};
  static constexpr int kSmallBits = 8;
  static constexpr int kZero = 32;

  static Bytes quants(const uint8_t* block, int i) {
    const int half = i / 4;
    const int run = i % 4;
    const Bytes nibbles = load_bytes(block + 64 * half + 32 * (run % 2));
    const Bytes top = load_bytes(block + 128 + 32 * half);
    const Bytes upper = run < 3 ? shift_left_and(top, 4 - 2 * run, 0x30) : shift_right_and(top, 2, 0x30);
    return shift_right_and(nibbles, run < 2 ? 0 : 4, 15) | upper;
  }
  static void small(const uint8_t* block, uint8_t (&integers)[16]) { std::memcpy(integers, block + 192, 16); }
  static void affine(const Rows& rows, F32* scale, F32* offset) {
    const F32 d = gather_f16(rows, 208);
    for (int first = 0; first < 16; first += kLanes) {
      F32 s[kLanes];
      for (int r = 0; r < kLanes; ++r) {
        s[r] = load_i8_as_f32(reinterpret_cast<const int8_t*>(rows[r] + 192 + first));
      }
      transpose(s);
      for (int g = 0; g < kLanes; ++g) {
        scale[first + g] = s[g] * d;
        offset[first + g] = scale[first + g] * splat(-32.0f);
      }
    }
  }
};

}  // namespace belay::BELAY_ISA
