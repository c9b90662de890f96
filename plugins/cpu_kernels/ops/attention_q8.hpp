// What dot_tile.hpp and weighted_sum.hpp compute, over rows of Q8_0: the scale of a block of 32 is multiplied
// with what the block adds up to, or with the weight of its position, not with each element.
#pragma once

#include "plugins/cpu_kernels/ops/dot_tile.hpp"
#include "plugins/cpu_kernels/ops/weighted_sum.hpp"

namespace belay::BELAY_ISA {

// Rows of whole blocks, side by side.
struct Q8Rows {
  static constexpr int64_t kBlock = 32;
  static constexpr int64_t kBlockBytes = 34;

  const uint8_t* data;
  int64_t row_bytes;

  [[nodiscard]] Q8Rows from(int64_t row) const { return {data + row * row_bytes, row_bytes}; }
  [[nodiscard]] const uint8_t* block(int64_t row, int64_t element) const {
    return from(row).data + element / kBlock * kBlockBytes;
  }
};

inline float block_scale(const uint8_t* block) {
  uint16_t half = 0;
  std::memcpy(&half, block, 2);
  return half_to_float(half);
}
inline const int8_t* block_quants(const uint8_t* block) { return reinterpret_cast<const int8_t*>(block + 2); }

// A block's quants times the elements from `at` on of kTokens tokens, in lanes still to be added up.
template <int kTokens>
inline void block_products(const int8_t* q, RowsOf<const float> x, int64_t at, F32 (&sums)[kTokens]) {
  for (F32& sum : sums) sum = zero();
#pragma GCC unroll 8
  for (int k = 0; k < Q8Rows::kBlock; k += kLanes) {
    const F32 values = load_i8_as_f32(q + k);
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) sums[t] = mul_add(values, load(x.row(t) + at + k), sums[t]);
  }
}

template <int kRows, int kTokens>
inline void dot_tile(Q8Rows rows, RowsOf<const float> x, int64_t d, RowsOf<float> to) {
  F32 acc[kTokens][kRows];
  for (auto& token : acc) {
    for (F32& a : token) a = zero();
  }
  for (int64_t i = 0; i < d; i += Q8Rows::kBlock) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const uint8_t* block = rows.block(r, i);
      F32 sums[kTokens];
      block_products(block_quants(block), x, i, sums);
      const F32 scale = splat(block_scale(block));
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) acc[t][r] = mul_add(scale, sums[t], acc[t][r]);
    }
  }
  for (int t = 0; t < kTokens; ++t) {
    for (int r = 0; r < kRows; r += 4)
      store_sums(acc[t][r], acc[t][r + 1], acc[t][r + 2], acc[t][r + 3], to.row(t) + r);
  }
}

// For the 4 * kLanes elements from `at` on, which lie in one block.
template <int kRows>
inline void weighted_tile(const float* weights, int64_t weights_stride, Q8Rows values, int64_t first,
                          int64_t last, int64_t at, RowsOf<float> sums) {
  constexpr int kVectors = 4;
  static_assert(Q8Rows::kBlock % (kVectors * kLanes) == 0);
  F32 acc[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int j = 0; j < kVectors; ++j) acc[r][j] = load(sums.row(r) + at + j * kLanes);
  }
  for (int64_t k = first; k < last; ++k) {
    const uint8_t* block = values.block(k, at);
    const int8_t* q = block_quants(block) + at % Q8Rows::kBlock;
    const float scale = block_scale(block);
    F32 w[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) w[r] = splat(weights[r * weights_stride + k] * scale);
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      const F32 v = load_i8_as_f32(q + j * kLanes);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) acc[r][j] = mul_add(w[r], v, acc[r][j]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int j = 0; j < kVectors; ++j) store(acc[r][j], sums.row(r) + at + j * kLanes);
  }
}

template <int kRows>
inline void weighted_rows(const float* weights, int64_t weights_stride, Q8Rows values, int64_t first,
                          int64_t last, int64_t d, RowsOf<float> sums) {
  for (int64_t at = 0; at < d; at += 4 * kLanes)
    weighted_tile<kRows>(weights, weights_stride, values, first, last, at, sums);
}

}  // namespace belay::BELAY_ISA
