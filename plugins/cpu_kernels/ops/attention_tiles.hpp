// Attention's two products for many query rows and one block of positions, in register tiles. Each score and
// each output element is one chain, over d and over the positions, whatever the tile.
#pragma once

#include "plugins/cpu_kernels/ops/outer_tile.hpp"

namespace belay::BELAY_ISA {

// scores[r][k] = query[r] . key k for kRows rows and the keys of packed panels
// [count/kTileWidth][d][kTileWidth].
template <int kRows>
inline void score_tile(RowsOf<const float> query, const float* panels, int64_t count, int64_t d,
                       RowsOf<float> scores) {
  for (int64_t k = 0; k < count; k += kTileWidth) {
    F32 acc[kRows][kTileVectors];
#pragma GCC unroll 6
    for (auto& row : acc) row[0] = row[1] = zero();
    add_outer(query, {panels + k * d, kTileWidth}, d, acc);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      store(acc[r][0], scores.row(r) + k);
      store(acc[r][1], scores.row(r) + k + kLanes);
    }
  }
}

// sums[r][0..width) += sum over k < count of weights[r][k] * values[k], for kRows rows; width is a multiple
// of kLanes.
template <int kRows>
inline void add_values(RowsOf<const float> weights, RowsOf<const float> values, int64_t count, int64_t width,
                       RowsOf<float> sums) {
  const auto add = [&](int64_t at, auto vectors) {
    constexpr int kVectors = vectors;
    F32 acc[kRows][kVectors];
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) acc[r][j] = load(sums.row(r) + at + j * kLanes);
    }
    add_outer(weights, {values.data + at, values.stride}, count, acc);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) store(acc[r][j], sums.row(r) + at + j * kLanes);
    }
  };
  int64_t at = 0;
  for (; at + kTileWidth <= width; at += kTileWidth) add(at, std::integral_constant<int, kTileVectors>{});
  if (at < width) add(at, std::integral_constant<int, 1>{});
}

// The same over the visible[r] first positions, which may grow with r. What a row does not see is not
// touched, since the weight 0 does not silence a NaN.
template <int kRows>
inline void add_visible_values(RowsOf<const float> weights, RowsOf<const float> values,
                               const int64_t* visible, int64_t width, RowsOf<float> sums) {
  const int64_t common = visible[0];
  add_values<kRows>(weights, values, common, width, sums);
  for (int r = 1; r < kRows; ++r) {
    if (visible[r] == common) continue;
    add_values<1>({weights.row(r) + common, weights.stride}, values.from(common), visible[r] - common, width,
                  sums.from(r));
  }
}

}  // namespace belay::BELAY_ISA
