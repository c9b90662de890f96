// Attention's second product: rows of a value block, added up with the weights of a few queries. Each output
// element is accumulated in the order of the positions, whatever the tile.
#pragma once

#include "plugins/cpu_kernels/ops/rows_of.hpp"

#include <algorithm>

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
    F32 v[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) v[j] = load(values + k * d + j * kLanes);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const F32 weight = splat(weights[r * weights_stride + k]);
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) acc[r][j] = mul_add(weight, v[j], acc[r][j]);
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

// sums[r] += weights[r] . values over the visible[r] first positions, which may grow with r. What a row does
// not see is not touched, since the weight 0 does not silence a NaN.
template <class Element>
inline void add_weighted_rows(const float* weights, int64_t weights_stride, const Element* values,
                              const int64_t* visible, int64_t rows, int64_t d, RowsOf<float> sums) {
  constexpr int kRows = kTileTokens;
  int64_t r = 0;
  for (; r + kRows <= rows; r += kRows) {
    const float* w = weights + r * weights_stride;
    const int64_t common = visible[r];
    weighted_rows<kRows>(w, weights_stride, values, 0, common, d, sums.from(r));
    for (int i = 1; i < kRows; ++i) {
      if (visible[r + i] == common) continue;
      weighted_rows<1>(w + i * weights_stride, weights_stride, values, common, visible[r + i], d,
                       sums.from(r + i));
    }
  }
  for (; r < rows; ++r) {
    weighted_rows<1>(weights + r * weights_stride, weights_stride, values, 0, visible[r], d, sums.from(r));
  }
}

}  // namespace belay::BELAY_ISA
