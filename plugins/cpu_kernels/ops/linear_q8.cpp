// The quantised path of linear: integer products of weight blocks and activation blocks, scaled in float. A
// lane is a row, and a row's blocks are added in order, so that one token and many give the same bits.
#include "plugins/cpu_kernels/ops/linear.hpp"
#include "plugins/cpu_kernels/quant/visit.hpp"

#include <algorithm>

namespace belay::BELAY_ISA {
namespace {

// One group of kLanes rows: scale*da*(q.a) + offset*(da*sum a).
template <class F>
inline F32 accumulate(F32 acc, I32 product, F32 scale, F32 offset, float token_scale, float token_sum) {
  acc = mul_add(scale * splat(token_scale), to_f32(product), acc);
  if constexpr (!F::kSigned) acc = mul_add(offset, splat(token_sum), acc);
  return acc;
}

// ---- one token: the file's blocks are read once, a few rows side by side

// The 32 products of block part `i` in each row, summed over groups of 32 or 16: lane r belongs to row r.
template <class F>
inline void products(const Rows& rows, int64_t offset, int i, Bytes a, I32 (&sums)[32 / F::kGroup]) {
  if constexpr (F::kGroup == 32) {
    I32 part[kLanes];
#pragma GCC unroll 8
    for (int r = 0; r < kLanes; ++r) part[r] = dot<F::kSigned>(F::quants(rows[r] + offset, i), a);
    sums[0] = sum_rows(part);
  } else {
    I32 first[kLanes];
    I32 second[kLanes];
#pragma GCC unroll 8
    for (int r = 0; r < kLanes; ++r)
      dot_halves<F::kSigned>(F::quants(rows[r] + offset, i), a, first[r], second[r]);
    sum_rows_halves(first, second, sums[0], sums[1]);
  }
}

// `ahead` is the distance to the next group of rows, whose blocks are fetched while this one computes.
template <class F>
F32 row_group(const Rows& start, uint64_t ahead, int64_t cols, const QuantisedActivations& x) {
  constexpr int kPerPart = 32 / F::kGroup;
  Rows rows;
  for (int r = 0; r < kLanes; ++r) rows[r] = start[r];
  F32 acc = zero();
  for (int64_t k = 0; k < cols; k += F::kBlock) {
    F32 scale[kGroups<F>];
    F32 offset[kGroups<F>];
    F::affine(rows, scale, offset);
#pragma GCC unroll 8
    for (int i = 0; i < F::kBlock / 32; ++i) {
      I32 sums[kPerPart];
      products<F>(rows, 0, i, load_bytes(x.q + k + 32 * i), sums);
      for (int g = 0; g < kPerPart; ++g) {
        const int at = i * kPerPart + g;
        acc = accumulate<F>(acc, sums[g], scale[at], offset[at], x.scale[k / 32 + i],
                            x.sum[k / F::kGroup + at]);
      }
    }
    for (int r = 0; r < kLanes; ++r) {
      prefetch_block<F>(rows[r] + ahead);
      rows[r] += F::kBytes;
    }
  }
  return acc;
}

template <class F>
void one_token(const LinearTask& task, const QuantisedActivations& x, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; row += kLanes) {
    const int64_t here = std::min<int64_t>(kLanes, task.weight.rows - row);
    Rows rows;
    row_pointers(task.weight.data, task.weight.row_bytes, row, here, rows);
    F32 acc = row_group<F>(rows, kLanes * task.weight.row_bytes, task.weight.cols, x);
    if (task.bias != nullptr) acc = acc + load_upto(task.bias + row, here);
    store_upto(acc, task.out + row, here);
  }
}

// ---- many tokens: a panel of rows is unpacked once, [k/4][row][4], and multiplied with a few tokens at a
// time

constexpr int kPanelGroups = 2;  // of kLanes rows
constexpr int kPanelRows = kPanelGroups * kLanes;
constexpr int64_t kChunk = 1024;
constexpr int kTileWidth = 4;  // tokens

template <class F>
struct Panel {
  alignas(64) uint8_t q[kPanelGroups][kChunk * kLanes];
  F32 scale[kPanelGroups][kChunk / F::kGroup];
  F32 offset[kPanelGroups][kChunk / F::kGroup];
};

template <class F>
void fill(const Weight& weight, int64_t row, int64_t first, int64_t count, int group, Panel<F>& panel) {
  Rows rows;
  const int64_t at = std::min(row + group * kLanes, weight.rows - 1);
  row_pointers(weight.data, weight.row_bytes, at, weight.rows - at, rows);
  for (auto& r : rows) r += first / F::kBlock * F::kBytes;
  for (int64_t k = 0; k < count; k += F::kBlock) {
    F::affine(rows, &panel.scale[group][k / F::kGroup], &panel.offset[group][k / F::kGroup]);
    for (int i = 0; i < F::kBlock / 32; ++i) {
      Bytes q[kLanes];
      for (int r = 0; r < kLanes; ++r) q[r] = F::quants(rows[r], i);
      interleave(q, &panel.q[group][(k + 32 * i) * kLanes]);
    }
    for (auto& r : rows) r += F::kBytes;
  }
}

template <class F>
inline I16 product(U8 w, U8 a) {
  return F::kSigned ? dot_i8(w, a) : dot_u8(w, a);
}

// The sums of a panel's rows with kTokens tokens over kSteps quads from k on, in int16 all the way.
template <class F, int kSteps, int kTokens>
inline void multiply_i16(const Panel<F>& panel, int64_t k, const int8_t* a, int64_t a_stride,
                         I16 (&sums)[kPanelGroups][kTokens]) {
#pragma GCC unroll 8
  for (int step = 0; step < kSteps; ++step) {
    const int64_t at = k + 4 * step;
    U8 w[kPanelGroups];
#pragma GCC unroll 2
    for (int g = 0; g < kPanelGroups; ++g) w[g] = load_u8(&panel.q[g][at * kLanes]);
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) {
      const U8 token = splat_quad(a + t * a_stride + at);
#pragma GCC unroll 2
      for (int g = 0; g < kPanelGroups; ++g) {
        sums[g][t] = step == 0 ? product<F>(w[g], token) : sums[g][t] + product<F>(w[g], token);
        pin(sums[g][t]);
      }
    }
  }
}

// The same where int16 holds only one or two products: each token's are widened at once, because sums of both
// widths together do not fit the registers.
template <class F, int kSteps, int kTokens>
inline void multiply_i32(const Panel<F>& panel, int64_t k, const int8_t* a, int64_t a_stride,
                         I32 (&sums)[kPanelGroups][kTokens]) {
  U8 w[kPanelGroups][kSteps];
#pragma GCC unroll 2
  for (int g = 0; g < kPanelGroups; ++g) {
#pragma GCC unroll 2
    for (int step = 0; step < kSteps; ++step) w[g][step] = load_u8(&panel.q[g][(k + 4 * step) * kLanes]);
  }
#pragma GCC unroll 4
  for (int t = 0; t < kTokens; ++t) {
#pragma GCC unroll 2
    for (int g = 0; g < kPanelGroups; ++g) {
      I16 part = product<F>(w[g][0], splat_quad(a + t * a_stride + k));
      if constexpr (kSteps == 2) part = part + product<F>(w[g][1], splat_quad(a + t * a_stride + k + 4));
      sums[g][t] = sums[g][t] + widen(part);
      pin(sums[g][t]);
    }
  }
}

// The products of one group of values: kGroup / 4 quads of the panel's rows with kTokens tokens.
template <class F, int kTokens>
inline void multiply(const Panel<F>& panel, int64_t k, const int8_t* a, int64_t a_stride,
                     I32 (&sums)[kPanelGroups][kTokens]) {
  constexpr int kQuads = F::kGroup / 4;
  constexpr int kSteps = std::min(kQuads, kSumsInI16<F>);
  for (auto& group : sums) {
    for (I32& s : group) s = zero_i32();
  }
#pragma GCC unroll 8
  for (int quad = 0; quad < kQuads; quad += kSteps) {
    const int64_t at = k + 4 * quad;
    if constexpr (kSteps <= 2) {
      multiply_i32<F, kSteps, kTokens>(panel, at, a, a_stride, sums);
    } else {
      I16 part[kPanelGroups][kTokens];
      multiply_i16<F, kSteps, kTokens>(panel, at, a, a_stride, part);
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) {
#pragma GCC unroll 2
        for (int g = 0; g < kPanelGroups; ++g) sums[g][t] = sums[g][t] + widen(part[g][t]);
      }
    }
  }
}

// What a tile multiplies: the tokens from `token` on with the k in [first, first + count).
struct Tile {
  const QuantisedActivations& x;
  int64_t cols;
  int64_t token;
  int64_t first;
  int64_t count;
};

using TileSums = F32[kPanelGroups][kTileWidth];

// Adds a tile of kTokens tokens to acc[group][token].
template <class F, int kTokens>
void run_tile(const Panel<F>& panel, const Tile& tile, TileSums& acc) {
  const int64_t at = tile.token * tile.cols + tile.first;
  const int8_t* a = tile.x.q + at;
  const float* scale = tile.x.scale + at / 32;
  const float* sum = tile.x.sum + at / F::kGroup;
  for (int64_t k = 0; k < tile.count; k += F::kGroup) {
    I32 products[kPanelGroups][kTokens];
    multiply<F, kTokens>(panel, k, a, tile.cols, products);
    const int64_t g = k / F::kGroup;
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) {
#pragma GCC unroll 2
      for (int p = 0; p < kPanelGroups; ++p) {
        acc[p][t] = accumulate<F>(acc[p][t], products[p][t], panel.scale[p][g], panel.offset[p][g],
                                  scale[t * (tile.cols / 32) + k / 32], sum[t * (tile.cols / F::kGroup) + g]);
      }
    }
  }
}

template <class F>
void run_tile_of(int64_t tokens, const Panel<F>& panel, const Tile& tile, TileSums& acc) {
  switch (tokens) {
    case 1:
      return run_tile<F, 1>(panel, tile, acc);
    case 2:
      return run_tile<F, 2>(panel, tile, acc);
    case 3:
      return run_tile<F, 3>(panel, tile, acc);
    default:
      return run_tile<F, kTileWidth>(panel, tile, acc);
  }
}

// Between chunks of k the sums wait in the output.
void load_sums(const LinearTask& task, int64_t row, int64_t token, int64_t tokens, TileSums& acc) {
  const int64_t rows = task.weight.rows;
  for (int64_t at = row; auto& group : acc) {
    for (int64_t t = 0; t < tokens && at < rows; ++t)
      group[t] = load_upto(task.out + (token + t) * rows + at, rows - at);
    at += kLanes;
  }
}

void store_sums(const LinearTask& task, int64_t row, int64_t token, int64_t tokens, const float* bias,
                const TileSums& acc) {
  const int64_t rows = task.weight.rows;
  for (int64_t at = row; const auto& group : acc) {
    for (int64_t t = 0; t < tokens && at < rows; ++t) {
      const F32 sum = bias == nullptr ? group[t] : group[t] + load_upto(bias + at, rows - at);
      store_upto(sum, task.out + (token + t) * rows + at, rows - at);
    }
    at += kLanes;
  }
}

// All tokens with the k in [first, first + count) of a panel.
template <class F>
void run_chunk(const LinearTask& task, const QuantisedActivations& x, const Panel<F>& panel, int64_t row,
               int64_t first, int64_t count) {
  const float* bias = first + count >= task.weight.cols ? task.bias : nullptr;
  for (int64_t token = 0; token < task.tokens; token += kTileWidth) {
    const int64_t tokens = std::min<int64_t>(kTileWidth, task.tokens - token);
    TileSums acc;
    for (auto& group : acc) {
      for (F32& a : group) a = zero();
    }
    if (first > 0) load_sums(task, row, token, tokens, acc);
    run_tile_of<F>(tokens, panel, {x, task.weight.cols, token, first, count}, acc);
    store_sums(task, row, token, tokens, bias, acc);
  }
}

template <class F>
void many_tokens(const LinearTask& task, const QuantisedActivations& x, int64_t begin, int64_t end) {
  Panel<F> panel;
  for (int64_t row = begin; row < end; row += kPanelRows) {
    int64_t first = 0;
    do {
      const int64_t count = std::min(kChunk, task.weight.cols - first);
      for (int g = 0; g < kPanelGroups; ++g) fill<F>(task.weight, row, first, count, g, panel);
      run_chunk<F>(task, x, panel, row, first, count);
      first += kChunk;
    } while (first < task.weight.cols);
  }
}

template <class F>
constexpr QuantisedLinear kOf = {F::kGroup, kLanes, kPanelRows, &one_token<F>, &many_tokens<F>};

}  // namespace

const QuantisedLinear* quantised_linear(int32_t dtype) {
  const QuantisedLinear* found = nullptr;
  visit(dtype, [&](auto format) { found = &kOf<decltype(format)>; });
  return found;
}

namespace {

// One block of 32: its scale, and the integers in v.
float quantise_block(const float* x, I32 (&v)[32 / kLanes]) {
  constexpr int kVectors = 32 / kLanes;
  F32 value[kVectors];
  F32 largest = zero();
  F32 poison = zero();
  for (int i = 0; i < kVectors; ++i) {
    value[i] = load(x + i * kLanes);
    largest = max(largest, abs(value[i]));
    poison = mul_add(value[i], zero(), poison);  // NaN when a value is not finite
  }
  const float top = max_lane(largest);
  // Below this the inverse overflows; such values are 0 to any sum of ordinary ones.
  constexpr float kSmallest = 0x1p-110f;
  const F32 inverse = splat(top >= kSmallest ? 127.0f / top : 0.0f);
  for (int i = 0; i < kVectors; ++i) v[i] = round_to_i32(value[i] * inverse);
  return (top >= kSmallest ? top / 127.0f : 0.0f) + sum(poison);
}

}  // namespace

void quantise_row(const float* x, int64_t cols, int group, int8_t* q, float* scale, float* sums) {
  constexpr int kVectors = 32 / kLanes;
  for (int64_t k = 0; k < cols; k += 32) {
    I32 v[kVectors];
    const float d = quantise_block(x + k, v);
    *scale++ = d;
    for (int i = 0; i < kVectors; i += 4) store_i8(v[i], v[i + 1], v[i + 2], v[i + 3], q + k + i * kLanes);
    I32 first = v[0];
    I32 second = v[kVectors / 2];
    for (int i = 1; i < kVectors / 2; ++i) {
      first = first + v[i];
      second = second + v[kVectors / 2 + i];
    }
    if (group == 32) {
      *sums++ = d * sum(to_f32(first + second));
    } else {
      *sums++ = d * sum(to_f32(first));
      *sums++ = d * sum(to_f32(second));
    }
  }
}

}  // namespace belay::BELAY_ISA
