// Attention of many query rows with one block of positions. A tile is some rows of a KV head, one in each
// lane of a few vectors: keys and values are then read where they lie, an element at a time, and the softmax
// needs no sums across lanes. Each score and each output element is one chain, over d and over the positions,
// and no lane looks at another, so a row's bits do not depend on its tile.
#pragma once

#include "plugins/cpu_kernels/ops/attention.hpp"
#include "plugins/cpu_kernels/ops/online_softmax.hpp"
#include "plugins/cpu_kernels/ops/outer_tile.hpp"

#include <algorithm>

namespace belay::BELAY_ISA {

// Rows in the lanes of kTileVectors vectors, and what they have summed so far.
struct QueryTile {
  float* query = nullptr;         // [d][kTileWidth], scaled
  float* sums = nullptr;          // [d][kTileWidth], the weighted values
  float shift[kTileWidth];        // see online_softmax.hpp
  float total[kTileWidth] = {};   // sum of the weights
  int64_t seen[kTileWidth] = {};  // positions that a row sees; grows with the row

  QueryTile() { std::fill_n(shift, kTileWidth, kNoShift); }
  [[nodiscard]] int64_t first_seen() const { return seen[0]; }
  [[nodiscard]] int64_t last_seen() const { return seen[kTileWidth - 1]; }
};

// Positions [at, at + 64) of a KV head.
struct KeyBlock {
  const float* keys;    // [64][d]
  const float* values;  // [64][d]
  int64_t at;
  int64_t d;
};

// How much of a block the rows in the first kVectors vectors of a tile see.
template <int kVectors>
struct Sight {
  int64_t common;      // positions that all of them see
  int64_t count;       // positions that some of them see
  F32 ends[kVectors];  // positions that each of them sees

  Sight(const QueryTile& tile, int64_t at) {
    const auto in_block = [at](int64_t seen) { return std::clamp<int64_t>(seen - at, 0, kBlock); };
    common = in_block(tile.first_seen());
    count = in_block(tile.last_seen());
    float all[kTileWidth];
    for (int i = 0; i < kTileWidth; ++i) all[i] = static_cast<float>(in_block(tile.seen[i]));
    for (int j = 0; j < kVectors; ++j) ends[j] = load(all + j * kLanes);
  }
  // Which lanes of vector j see position k.
  [[nodiscard]] F32 mask(int64_t k, int j) const { return less(splat(static_cast<float>(k)), ends[j]); }
};

// scores[k] = query . keys[k] for kRows keys from k on, and the largest score so far of each lane. What a row
// does not see is hidden from it.
template <int kRows, int kVectors>
inline void score_tile(const float* query, const float* keys, int64_t d, const Sight<kVectors>& sight,
                       int64_t k, float* scores, F32 (&largest)[kVectors]) {
  F32 acc[kRows][kVectors];
#pragma GCC unroll 6
  for (auto& row : acc) {
#pragma GCC unroll 2
    for (F32& a : row) a = zero();
  }
  add_outer({keys + k * d, d}, {query, kTileWidth}, d, acc);
  if (k + kRows > sight.common) {
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) acc[r][j] = select(sight.mask(k + r, j), acc[r][j], splat(kHidden));
    }
  }
#pragma GCC unroll 2
  for (int j = 0; j < kVectors; ++j) {
    F32 top = largest[j];
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      store(acc[r][j], scores + (k + r) * kTileWidth + j * kLanes);
      top = max(acc[r][j], top);  // in this order NaN is passed over
    }
    largest[j] = top;
  }
}

// The shift that the largest scores demand: the old one, or a larger one in some lanes.
template <int kVectors>
inline void choose_shift(const QueryTile& tile, F32 (&largest)[kVectors]) {
  for (int j = 0; j < kVectors; ++j) {
    const F32 old = load(tile.shift + j * kLanes);
    largest[j] = select(less(old + splat(kSlack), largest[j]), largest[j], old);
  }
}

// Scales what a tile has summed so far to a new shift. The lanes whose shift stays do not change by it.
template <int kVectors>
inline void move_shift(QueryTile& tile, const F32 (&shift)[kVectors], int64_t d) {
  F32 factor[kVectors];
  bool is_same = true;
  for (int j = 0; j < kVectors; ++j) {
    factor[j] = load(tile.shift + j * kLanes) - shift[j];
    is_same = is_same && sum(factor[j]) == 0.0f;  // none is above 0, and NaN is not equal to it
  }
  if (is_same) return;
  exp2(factor);
  for (int j = 0; j < kVectors; ++j) {
    store(shift[j], tile.shift + j * kLanes);
    store(load(tile.total + j * kLanes) * factor[j], tile.total + j * kLanes);
  }
  float* sums = tile.sums;
  for (int64_t i = 0; i < d; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) {
      float* to = sums + i * kTileWidth + j * kLanes;
      store(load(to) * factor[j], to);
    }
  }
}

// scores[0..count) to the weights 2^(score - shift), and their sum in each lane added to total.
template <int kVectors>
inline void weigh(float* scores, int64_t count, const float* shifts, float* totals) {
  constexpr int kStep = 4;  // vectors
  constexpr int kPositions = kStep / kVectors;
  static_assert(kBlock % kStep == 0);
  for (int64_t k = count; k % kPositions != 0; ++k) std::fill_n(scores + k * kTileWidth, kTileWidth, kHidden);
  F32 shift[kVectors];
  F32 total[kVectors];
#pragma GCC unroll 2
  for (int j = 0; j < kVectors; ++j) {
    shift[j] = load(shifts + j * kLanes);
    total[j] = load(totals + j * kLanes);
  }
  for (int64_t k = 0; k < count; k += kPositions) {
    float* at = scores + k * kTileWidth;
    F32 x[kStep];
#pragma GCC unroll 4
    for (int i = 0; i < kStep; ++i)
      x[i] = load(at + i / kVectors * kTileWidth + i % kVectors * kLanes) - shift[i % kVectors];
    exp2(x);
#pragma GCC unroll 4
    for (int i = 0; i < kStep; ++i) {
      store(x[i], at + i / kVectors * kTileWidth + i % kVectors * kLanes);
      total[i % kVectors] = total[i % kVectors] + x[i];
    }
  }
#pragma GCC unroll 2
  for (int j = 0; j < kVectors; ++j) store(total[j], totals + j * kLanes);
}

// sums[r] += sum over k of weights[k] * values[k][r], for kRows elements of the values. What a row does not
// see is not touched, since the weight 0 does not silence a NaN.
template <int kRows, int kVectors>
inline void value_tile(const float* weights, const float* values, int64_t d, const Sight<kVectors>& sight,
                       float* sums) {
  F32 acc[kRows][kVectors];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) acc[r][j] = load(sums + r * kTileWidth + j * kLanes);
  }
  const auto step = [&](auto&& add) {
    F32 w[kVectors];
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) w[j] = load(weights + j * kLanes);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      const F32 x = splat(values[r]);
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) add(j, mul_add(x, w[j], acc[r][j]), acc[r][j]);
    }
    weights += kTileWidth;
    values += d;
  };
#pragma GCC unroll 4
  for (int64_t k = 0; k < sight.common; ++k) step([](int, F32 sum, F32& to) { to = sum; });
  for (int64_t k = sight.common; k < sight.count; ++k) {
    F32 seen[kVectors];
    for (int j = 0; j < kVectors; ++j) seen[j] = sight.mask(k, j);
    step([&](int j, F32 sum, F32& to) { to = select(seen[j], sum, to); });
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) store(acc[r][j], sums + r * kTileWidth + j * kLanes);
  }
}

// Adds a block to the rows in the first kVectors vectors of a tile, and fetches the next one, if any, on the
// way. `scores` is memory for [64][kTileWidth].
template <int kVectors>
inline void add_block(QueryTile& tile, const KeyBlock& block, const NextBlock* next, float* scores) {
  const Sight<kVectors> sight(tile, block.at);
  F32 shift[kVectors];
  for (int j = 0; j < kVectors; ++j) shift[j] = load(tile.shift + j * kLanes);
  for (int64_t k = 0; k < sight.count;) {
    const int64_t rows = next_tile_rows(sight.count - k);
    with_tile_rows(rows, [&](auto rows_of_tile) {
      score_tile<rows_of_tile>(tile.query, block.keys, block.d, sight, k, scores, shift);
    });
    if (next != nullptr) next->fetch(k, rows);
    k += rows;
  }
  choose_shift(tile, shift);
  move_shift(tile, shift, block.d);
  weigh<kVectors>(scores, sight.count, tile.shift, tile.total);
  for (int64_t i = 0; i < block.d;) {
    const int64_t rows = next_tile_rows(block.d - i);
    with_tile_rows(rows, [&](auto rows_of_tile) {
      value_tile<rows_of_tile>(scores, block.values + i, block.d, sight, tile.sums + i * kTileWidth);
    });
    i += rows;
  }
}

// kLanes rows of d elements, times scale, to columns: to[i * kTileWidth + lane].
inline void rows_to_columns(const float* const (&rows)[kLanes], int64_t d, float scale, float* to) {
  for (int64_t i = 0; i < d; i += kLanes) {
    F32 v[kLanes];
    for (int r = 0; r < kLanes; ++r) v[r] = load_upto(rows[r] + i, d - i) * splat(scale);
    transpose(v);
    for (int64_t k = 0; k < std::min<int64_t>(kLanes, d - i); ++k) store(v[k], to + (i + k) * kTileWidth);
  }
}

// The way back, each column divided by `by`.
inline void columns_to_rows(const float* from, F32 by, int64_t d, float* const (&rows)[kLanes]) {
  for (int64_t i = 0; i < d; i += kLanes) {
    F32 v[kLanes];
    for (int64_t k = 0; k < kLanes; ++k) v[k] = i + k < d ? load(from + (i + k) * kTileWidth) / by : zero();
    transpose(v);
    for (int r = 0; r < kLanes; ++r) store_upto(v[r], rows[r] + i, d - i);
  }
}

}  // namespace belay::BELAY_ISA
