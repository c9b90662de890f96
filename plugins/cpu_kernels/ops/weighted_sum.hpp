// Attention's second product: rows of a value block, added up with the weights of a few queries. Each output
// element is accumulated in the order of the positions, whatever the tile.
#pragma once

#include "plugins/cpu_kernels/ops/rows_of.hpp"

#include <algorithm>
#include <type_traits>

namespace belay::BELAY_ISA {

// sums[r][i] += sum over [first, last) of weights[r][k] * values[k][i] for kRows rows and kVectors vectors of
// i.
template <int kRows, int kVectors, class Element>
inline void weighted_tile(const float* weights, int64_t weights_stride, const Element* values, int64_t first,
                          int64_t last, int64_t d, RowsOf<float> sums) {
  F32 acc[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int j = 0; j < kVectors; ++j) acc[r][j] = load(sums.row(r) + j * kLanes);
  }
  for (int64_t k = first; k < last; ++k) {
    F32 w[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) w[r] = splat(weights[r * weights_stride + k]);
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      const F32 v = load(values + k * d + j * kLanes);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) acc[r][j] = mul_add(w[r], v, acc[r][j]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int j = 0; j < kVectors; ++j) store(acc[r][j], sums.row(r) + j * kLanes);
  }
}

// The same for all of a row's d elements.
template <int kRows, class Element>
inline void weighted_rows(const float* weights, int64_t weights_stride, const Element* values, int64_t first,
                          int64_t last, int64_t d, RowsOf<float> sums) {
  int64_t i = 0;
  for (; i + 4 * kLanes <= d; i += 4 * kLanes) {
    weighted_tile<kRows, 4>(weights, weights_stride, values + i, first, last, d,
                            {sums.data + i, sums.stride});
  }
  for (; i + kLanes <= d; i += kLanes) {
    weighted_tile<kRows, 1>(weights, weights_stride, values + i, first, last, d,
                            {sums.data + i, sums.stride});
  }
  for (; i < d; ++i) {
    for (int r = 0; r < kRows; ++r) {
      for (int64_t k = first; k < last; ++k)
        sums.row(r)[i] += weights[r * weights_stride + k] * to_float(values[k * d + i]);
    }
  }
}

// sums[r] += weights[r] . values for kRows rows over the visible[r] first positions, which may grow with r.
// What a row does not see is not touched, since the weight 0 does not silence a NaN. `values` may be of any
// kind that has a weighted_rows.
template <int kRows, class Values>
inline void visible_rows(const float* weights, int64_t weights_stride, Values values, const int64_t* visible,
                         int64_t d, RowsOf<float> sums) {
  const int64_t common = visible[0];
  weighted_rows<kRows>(weights, weights_stride, values, 0, common, d, sums);
  for (int r = 1; r < kRows; ++r) {
    if (visible[r] == common) continue;
    weighted_rows<1>(weights + r * weights_stride, weights_stride, values, common, visible[r], d,
                     sums.from(r));
  }
}

// The same for any number of rows.
template <class Values>
inline void add_weighted_rows(const float* weights, int64_t weights_stride, Values values,
                              const int64_t* visible, int64_t rows, int64_t d, RowsOf<float> sums) {
  const auto add = [&](auto tile, int64_t r) {
    visible_rows<tile>(weights + r * weights_stride, weights_stride, values, visible + r, d, sums.from(r));
  };
  int64_t r = 0;
  for (; r + kTileTokens <= rows; r += kTileTokens) add(std::integral_constant<int, kTileTokens>{}, r);
  if (r + 2 == rows) {
    add(std::integral_constant<int, 2>{}, r);
  } else if (r + 1 == rows) {
    add(std::integral_constant<int, 1>{}, r);
  }
}

}  // namespace belay::BELAY_ISA
