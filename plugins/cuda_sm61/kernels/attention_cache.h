// Reading the KV cache, four elements at a time. Device code.
#pragma once

#include "plugins/cuda_sm61/kernels/rows.h"

using HalfBits = unsigned short;

// Elements 4 * quad .. 4 * quad + 3 of a row of d, zeros beyond its end. kWhole: d is known to be a multiple
// of 4.
template <bool kWhole>
BELAY_DEVICE float4 cache_quad(const float* row, int quad, int d) {
  if (kWhole) return load_constant(reinterpret_cast<const float4*>(row) + quad);
  return load_quad(row, quad, d);
}

template <bool kWhole>
BELAY_DEVICE float4 cache_quad(const HalfBits* row, int quad, int d) {
  if (kWhole || d % 4 == 0) {
    const uint2 bits = load_constant(reinterpret_cast<const uint2*>(row) + quad);
    return make_float4(half_to_float(static_cast<HalfBits>(bits.x & 0xffffu)),
                       half_to_float(static_cast<HalfBits>(bits.x >> 16)),
                       half_to_float(static_cast<HalfBits>(bits.y & 0xffffu)),
                       half_to_float(static_cast<HalfBits>(bits.y >> 16)));
  }
  const int i = 4 * quad;
  return make_float4(half_to_float(row[i]), i + 1 < d ? half_to_float(row[i + 1]) : 0.0f,
                     i + 2 < d ? half_to_float(row[i + 2]) : 0.0f,
                     i + 3 < d ? half_to_float(row[i + 3]) : 0.0f);
}

// The row of the key or value at position 0 of a head.
template <class Element>
BELAY_DEVICE const Element* cache_head(const void* cache, int head, int blocks, int d) {
  return static_cast<const Element*>(cache) + static_cast<long long>(head) * blocks * 64 * d;
}
