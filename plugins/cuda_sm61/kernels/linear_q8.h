// Weights times quantised activations: blocks of 32 products as integers, and rows of them by a warp. Device
// code.
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

// Activations as linear_params.h describes them.
struct QuantisedX {
  const signed char* low;
  const signed char* high;
  const float* scales;
  int tokens;
  int blocks;  // of a token
};

struct RowOfBlocks {
  WeightPlanes planes;
  int first;  // block
};

// This lane's share of the products of two rows with kColumns tokens (the last one again beyond the last):
// sums[c] and sums[kColumns + c]. A lane takes every 32nd block, so that a load of the warp is 512 bytes in a
// row; two rows share what is read of x.
template <class Format, int kColumns>
BELAY_DEVICE void multiply_rows(const RowOfBlocks& a, const RowOfBlocks& b, const QuantisedX& x,
                                float (&sums)[2 * kColumns]) {
  BELAY_NO_UNROLL
  for (int i = static_cast<int>(threadIdx.x) % 32; i < x.blocks; i += 32) {
    const Bytes32 a_bytes = unpacked<typename Format::Quants>(Format::Quants::fetch(a.planes, a.first + i));
    const ScaleValues a_scales = Format::scales(a.planes, a.first + i);
    const Bytes32 b_bytes = unpacked<typename Format::Quants>(Format::Quants::fetch(b.planes, b.first + i));
    const ScaleValues b_scales = Format::scales(b.planes, b.first + i);
    BELAY_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      const int at = min(c, x.tokens - 1) * x.blocks + i;
      const Bytes32 q = {plane_at<int4>(x.low, at), plane_at<int4>(x.high, at)};
      const float2 scales = plane_at<float2>(x.scales, at);
      sums[c] = add_block<typename Format::Scales>(sums[c], a_bytes, a_scales, q, scales);
      sums[kColumns + c] =
          add_block<typename Format::Scales>(sums[kColumns + c], b_bytes, b_scales, q, scales);
    }
  }
}
