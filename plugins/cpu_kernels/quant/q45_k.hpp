// Q4_K and Q5_K: 256 values in 8 groups of 32, each with a 6-bit scale and minimum; value d*scale*q -
// dmin*minimum.
//   Q4_K, 144 bytes: half d, half dmin, packed[12], nibbles[128]: groups 2k and 2k+1 are the low and high
//   nibbles of
//         nibbles[32k..32k+31]
//   Q5_K, 176 bytes: half d, half dmin, packed[12], high[32], nibbles[128]: bit g of high[i] is the fifth bit
//   of value i
//         of group g
#pragma once

#include "plugins/cpu_kernels/quant/format.hpp"

#include <bit>

namespace belay::BELAY_ISA {

// The 8 scales, then the 8 minimums of one block. For g < 4 they are the low 6 bits of packed[g] and
// packed[g+4]; for g >= 4 the nibbles of packed[g+4], with the top 2 bits of packed[g-4] and packed[g] above
// them.
inline void small_k(const uint8_t* block, uint8_t (&integers)[16]) {
  uint32_t word[3];
  std::memcpy(word, block + 4, 12);
  const uint32_t all[4] = {word[0] & 0x3f3f3f3fu, (word[2] & 0x0f0f0f0fu) | ((word[0] >> 2) & 0x30303030u),
                           word[1] & 0x3f3f3f3fu,
                           ((word[2] >> 4) & 0x0f0f0f0fu) | ((word[1] >> 2) & 0x30303030u)};
  std::memcpy(integers, all, 16);
}

inline void affine_k(const Rows& rows, F32* scale, F32* offset) {
  uint8_t integers[kLanes][16];
  for (int r = 0; r < kLanes; ++r) small_k(rows[r], integers[r]);
  const F32 d = gather_f16(rows, 0);
  const F32 dmin = zero() - gather_f16(rows, 2);
  for (int first = 0; first < 8; first += kLanes) {
    F32 s[kLanes];
    F32 m[kLanes];
    for (int r = 0; r < kLanes; ++r) {
      s[r] = load_u8_as_f32(&integers[r][first]);
      m[r] = load_u8_as_f32(&integers[r][8 + first]);
    }
    transpose(s);
    transpose(m);
    for (int g = 0; g < kLanes; ++g) {
      scale[first + g] = s[g] * d;
      offset[first + g] = m[g] * dmin;
    }
  }
}

struct Q4_K {
  static constexpr int kDtype = BELAY_DTYPE_Q4_K;
  static constexpr int kBlock = 256;
  static constexpr int kBytes = 144;
  static constexpr int kGroup = 32;
  static constexpr bool kSigned = false;
  static constexpr int kBits = 4;
  static constexpr int kHalves[] = {0, 2};
  static constexpr int kSmallBits = 6;
  static constexpr int kZero = 0;

  static Bytes quants(const uint8_t* block, int i) {
    return shift_right_and(load_bytes(block + 16 + 32 * (i / 2)), 4 * (i % 2), 15);
  }
  static void affine(const Rows& rows, F32* scale, F32* offset) { affine_k(rows, scale, offset); }
  static void small(const uint8_t* block, uint8_t (&integers)[16]) { small_k(block, integers); }
};

struct Q5_K {
  static constexpr int kDtype = BELAY_DTYPE_Q5_K;
  static constexpr int kBlock = 256;
  static constexpr int kBytes = 176;
  static constexpr int kGroup = 32;
  static constexpr bool kSigned = false;
  static constexpr int kBits = 5;
  static constexpr int kHalves[] = {0, 2};
  static constexpr int kSmallBits = 6;
  static constexpr int kZero = 0;

  static Bytes quants(const uint8_t* block, int i) {
    const Bytes high = load_bytes(block + 16);
    const Bytes fifth = i <= 4 ? shift_left_and(high, 4 - i, 16) : shift_right_and(high, i - 4, 16);
    return shift_right_and(load_bytes(block + 48 + 32 * (i / 2)), 4 * (i % 2), 15) | fifth;
  }
  static void affine(const Rows& rows, F32* scale, F32* offset) { affine_k(rows, scale, offset); }
  static void small(const uint8_t* block, uint8_t (&integers)[16]) { small_k(block, integers); }
};

}  // namespace belay::BELAY_ISA
