// Dot products of a few rows with a few tokens: the inner kernel of the f32 linear and of attention's scores
// where rows and tokens are few. Every product is accumulated in one vector per (row, token) from k = 0 on,
// so a result does not depend on the tile it was computed in.
#pragma once

#include "plugins/cpu_kernels/ops/rows_of.hpp"

namespace belay::BELAY_ISA {

// to[t][r] = sum over k < count of w[r][k] * x[t][k]; kRows is a multiple of 4.
template <int kRows, int kTokens, class Element>
inline void dot_tile(RowsOf<const Element> w, RowsOf<const float> x, int64_t count, RowsOf<float> to) {
  F32 acc[kTokens][kRows];
  for (auto& token : acc) {
    for (F32& a : token) a = zero();
  }
  int64_t k = 0;
  for (; k + kLanes <= count; k += kLanes) {
    F32 xs[kTokens];
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) xs[t] = load(x.row(t) + k);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const F32 row = load(w.row(r) + k);
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) acc[t][r] = mul_add(row, xs[t], acc[t][r]);
    }
  }
  if (k < count) {
    const int rest = static_cast<int>(count - k);
    for (int t = 0; t < kTokens; ++t) {
      const F32 tail = load_partial(x.row(t) + k, rest);
      for (int r = 0; r < kRows; ++r) acc[t][r] = mul_add(load_partial(w.row(r) + k, rest), tail, acc[t][r]);
    }
  }
  for (int t = 0; t < kTokens; ++t) {
    for (int r = 0; r < kRows; r += 4) {
      store_sums(acc[t][r], acc[t][r + 1], acc[t][r + 2], acc[t][r + 3], to.row(t) + r);
    }
  }
}

// The same for 8 rows of any kind that has a dot_tile, and kTokens tokens.
template <int kTokens, class Rows>
inline void dot_rows8_tile(Rows w, RowsOf<const float> x, int64_t count, RowsOf<float> to) {
  if constexpr (kTokens == 1) {
    dot_tile<8, 1>(w, x, count, to);
  } else {
    dot_tile<4, kTokens>(w, x, count, to);
    dot_tile<4, kTokens>(w.from(4), x, count, {to.data + 4, to.stride});
  }
}

// ... and any number of tokens.
template <class Rows>
inline void dot_rows8(Rows w, RowsOf<const float> x, int64_t tokens, int64_t count, RowsOf<float> to) {
  int64_t t = 0;
  for (; t + kTileTokens <= tokens; t += kTileTokens)
    dot_rows8_tile<kTileTokens>(w, x.from(t), count, to.from(t));
  if (t + 2 == tokens) {
    dot_rows8_tile<2>(w, x.from(t), count, to.from(t));
  } else if (t + 1 == tokens) {
    dot_rows8_tile<1>(w, x.from(t), count, to.from(t));
  }
}

}  // namespace belay::BELAY_ISA
