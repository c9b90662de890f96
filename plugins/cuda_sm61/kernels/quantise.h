// Activations as blocks of 32 signed bytes with a scale, as linear_params.h describes them. Device code.
#pragma once

#include "plugins/cuda_sm61/kernels/device.h"

// Where quantised activations go; low is null where none are wanted.
struct Quantised {
  signed char* low;
  signed char* high;
  float* scales;
};

BELAY_DEVICE unsigned magnitude_bits(float value) { return float_to_bits(value) & 0x7fffffffu; }
BELAY_DEVICE unsigned larger_bits(unsigned a, unsigned b) { return a > b ? a : b; }

// Eight neighbouring lanes bring a block's 32 values, lane l % 8 = quad the values 4 * quad .. 4 * quad + 3.
// Whole warps call; only lanes with `inside` write.
BELAY_DEVICE void store_quantised(const Quantised& to, long long block, int quad, const float4& x,
                                  bool inside) {
  constexpr float kSmallest = 0x1p-120f;  // below it 127 / max overflows: such a block is 0
  // As integers the magnitudes of floats keep their order, and a NaN is above all.
  unsigned bits = larger_bits(larger_bits(magnitude_bits(x.x), magnitude_bits(x.y)),
                              larger_bits(magnitude_bits(x.z), magnitude_bits(x.w)));
  BELAY_UNROLL
  for (int offset = 4; offset > 0; offset /= 2) {
    bits = larger_bits(bits, __shfl_xor_sync(BELAY_FULL_WARP, bits, offset));
  }
  const float largest = bits_to_float(bits);
  const bool finite = bits < 0x7f800000u;
  const bool ordinary = finite && largest >= kSmallest;
  const float inverse = ordinary ? 127.0f / largest : 0.0f;
  const float scale = !finite ? bits_to_float(0x7fc00000u) : ordinary ? largest / 127.0f : 0.0f;
  const int q[4] = {round_to_int(x.x * inverse), round_to_int(x.y * inverse), round_to_int(x.z * inverse),
                    round_to_int(x.w * inverse)};
  int sum = q[0] + q[1] + q[2] + q[3];
  BELAY_UNROLL
  for (int offset = 4; offset > 0; offset /= 2) sum += __shfl_xor_sync(BELAY_FULL_WARP, sum, offset);
  if (!inside) return;
  signed char* const half = quad < 4 ? to.low : to.high;
  reinterpret_cast<unsigned*>(half)[4 * block + quad % 4] =
      (static_cast<unsigned>(q[0]) & 0xffu) | (static_cast<unsigned>(q[1]) & 0xffu) << 8 |
      (static_cast<unsigned>(q[2]) & 0xffu) << 16 | static_cast<unsigned>(q[3]) << 24;
  if (quad == 0)
    reinterpret_cast<float2*>(to.scales)[block] = make_float2(scale, scale * static_cast<float>(sum));
}
