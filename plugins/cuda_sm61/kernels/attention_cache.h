// Reading the KV cache, four elements at a time. Device code.
#pragma once

#include "plugins/cuda_sm61/kernels/rows.h"

using HalfBits = unsigned short;

// 32 elements of a row of Q8_0.
struct Q8Block {
  HalfBits scale;
  signed char q[32];
};

// A row of the cache consists of cells: elements, or blocks of them.
template <class Cell>
struct CellSize {
  static constexpr int kElements = 1;
};
template <>
struct CellSize<Q8Block> {
  static constexpr int kElements = 32;
};

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

// A block begins at an even address: two bytes at a time.
template <bool kWhole>
BELAY_DEVICE float4 cache_quad(const Q8Block* row, int quad, int /*d*/) {
  const Q8Block* const block = row + quad / 8;
  const auto* const pairs = reinterpret_cast<const unsigned short*>(block->q) + 2 * (quad % 8);
  const unsigned low = load_constant(pairs);
  const unsigned high = load_constant(pairs + 1);
  const float scale = half_to_float(load_constant(&block->scale));
  return make_float4(scale * static_cast<float>(static_cast<signed char>(low & 0xffu)),
                     scale * static_cast<float>(static_cast<signed char>(low >> 8)),
                     scale * static_cast<float>(static_cast<signed char>(high & 0xffu)),
                     scale * static_cast<float>(static_cast<signed char>(high >> 8)));
}

// Row `index` of a head's keys or values.
template <class Cell, class Index>
BELAY_DEVICE const Cell* cache_row(const Cell* head, Index index, int d) {
  return head + index * (d / CellSize<Cell>::kElements);
}

// The row of the key or value at position 0 of a head.
template <class Cell>
BELAY_DEVICE const Cell* cache_head(const void* cache, int head, int blocks, int d) {
  return cache_row(static_cast<const Cell*>(cache), static_cast<long long>(head) * blocks * 64, d);
}
