// A block of weights times a block of activations, 32 products as integers. Device code.
#pragma once

#include "plugins/cuda_sm61/kernels/linear_blocks.h"

// A sum of dp4a as a float, exactly: begun at kFloatZero it has, as a float's bits, the value 1.5 * 2^23 +
// sum while |sum| < 2^22; 32 products of bytes are below 2^20. The subtraction runs at full rate, a
// conversion at a quarter.
constexpr int kFloatZero = 0x4b400000;
BELAY_DEVICE float exact_float(int sum) { return bits_to_float(static_cast<unsigned>(sum)) - 12582912.0f; }

struct Bytes32 {
  int4 low;   // 0..15
  int4 high;  // 16..31
};

BELAY_DEVICE int dot16(const int4& a, const int4& b, int sum) {
  return dp4a(a.w, b.w, dp4a(a.z, b.z, dp4a(a.y, b.y, dp4a(a.x, b.x, sum))));
}

template <class Quants>
BELAY_DEVICE Bytes32 unpacked(const typename Quants::Raw& raw) {
  int v[8];
  BELAY_UNROLL
  for (int j = 0; j < 8; ++j) v[j] = static_cast<int>(Quants::word(raw, j));
  return {make_int4(v[0], v[1], v[2], v[3]), make_int4(v[4], v[5], v[6], v[7])};
}

// sum + the product of a block of weights with one of activations, whose scales are x. Scales are multiplied
// one after the other: their product alone might be denormal.
template <class Scales>
BELAY_DEVICE float add_block(float sum, const Bytes32& w, const ScaleValues& scales, const Bytes32& q,
                             const float2& x) {
  if (Scales::kTwo) {
    const float low = exact_float(dot16(w.low, q.low, kFloatZero));
    const float high = exact_float(dot16(w.high, q.high, kFloatZero));
    return fmaf(fmaf(low, scales.scale, high * scales.second), x.x, sum);
  }
  const float all = exact_float(dot16(w.high, q.high, dot16(w.low, q.low, kFloatZero)));
  const float added = fmaf(all * scales.scale, x.x, sum);
  return Scales::kOffset ? fmaf(scales.second, x.y, added) : added;
}
