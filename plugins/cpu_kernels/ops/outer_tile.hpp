// A tile of a matrix product in registers, a few rows by two vectors: the inner kernel of the f32 linear with
// many tokens and of both products of attention with many queries. Each sum is one chain over k, so a result
// does not depend on the tile that it was computed in.
#pragma once

#include "plugins/cpu_kernels/ops/rows_of.hpp"

#include <type_traits>

namespace belay::BELAY_ISA {

inline constexpr int kTileRows = 6;  // 6 x 2 accumulators leave 4 of 16 registers
inline constexpr int kTileVectors = 2;
inline constexpr int kTileWidth = kTileVectors * kLanes;

// acc[r][j] += sum over k < count of a[r][k] * b[k][j], for j in vectors.
template <int kRows, int kVectors, class Element = float>
[[gnu::always_inline]] inline void add_outer(RowsOf<const float> a,
                                             RowsOf<const std::type_identity_t<Element>> b, int64_t count,
                                             F32 (&acc)[kRows][kVectors]) {
#pragma GCC unroll 4
  for (int64_t k = 0; k < count; ++k) {
    F32 v[kVectors];
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) v[j] = load(b.row(k) + j * kLanes);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      const F32 x = splat(a.row(r)[k]);
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) acc[r][j] = mul_add(x, v[j], acc[r][j]);
    }
  }
}

// Calls body(std::integral_constant<int, rows>) for 1 to kTileRows rows.
template <class Body>
inline void with_tile_rows(int64_t rows, Body&& body) {
  static_assert(kTileRows == 6);
  switch (rows) {
    case 1:
      return body(std::integral_constant<int, 1>{});
    case 2:
      return body(std::integral_constant<int, 2>{});
    case 3:
      return body(std::integral_constant<int, 3>{});
    case 4:
      return body(std::integral_constant<int, 4>{});
    case 5:
      return body(std::integral_constant<int, 5>{});
    default:
      return body(std::integral_constant<int, 6>{});
  }
}

// How many of `rows` the next tile takes: equal parts, because a tile of one or two rows leaves the units
// idle.
inline int64_t next_tile_rows(int64_t rows) {
  const int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  return (rows + tiles - 1) / tiles;
}

// kLanes rows of `count` floats to kLanes columns of a panel [count][kTileWidth].
inline void pack_columns(RowsOf<const float> rows, int64_t count, float* to) {
  F32 v[kLanes];
  int64_t k = 0;
  for (; k + kLanes <= count; k += kLanes) {
#pragma GCC unroll 8
    for (int r = 0; r < kLanes; ++r) v[r] = load(rows.row(r) + k);
    transpose(v);
#pragma GCC unroll 8
    for (int i = 0; i < kLanes; ++i) store(v[i], to + (k + i) * kTileWidth);
  }
  if (k == count) return;
  for (int r = 0; r < kLanes; ++r) v[r] = load_partial(rows.row(r) + k, static_cast<int>(count - k));
  transpose(v);
  for (int64_t i = 0; k + i < count; ++i) store(v[i], to + (k + i) * kTileWidth);
}

}  // namespace belay::BELAY_ISA
