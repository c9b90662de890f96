// The quantised path of linear for many tokens. A panel, some rows of the weight over a chunk of k, is
// unpacked once to integers interleaved as [k / 4][row][4] that stay in L1 while a block of tokens passes, a
// tile at a time; the block's activations over the chunk stay in L2 while all panels pass.
#include "plugins/cpu_kernels/ops/linear_q8.hpp"
#include "plugins/cpu_kernels/quant/packed.hpp"

#include <algorithm>

namespace belay::BELAY_ISA {
namespace {

constexpr int64_t kTileWidth = 4;  // tokens
constexpr int kPanelGroups = 2;    // of kLanes rows
constexpr int kPanelRows = kPanelGroups * kLanes;
constexpr int64_t kChunk = 512;  // of k, a multiple of every block

// Signed bytes need all of int16 for one product: they and the activations are int16, as the even and the odd
// bytes of each quad.
template <class F>
inline constexpr int kBytes = F::kSigned ? 2 : 1;
template <class F>
inline constexpr int64_t kBlockTokens = 256 / kBytes<F>;  // 128 KiB of activations

template <class F>
struct Panel {
  alignas(64) uint8_t q[kPanelGroups][kChunk * kLanes * kBytes<F>];
  F32 scale[kPanelGroups][kChunk / F::kGroup];
  F32 offset[kPanelGroups][kChunk / F::kGroup];
};

// What is computed at a time: the rows of a panel, the k in [first, first + count), the tokens in [begin,
// end).
struct Work {
  int64_t row;
  int64_t first;
  int64_t count;
  int64_t begin;
  int64_t end;
};

// ---- unpacking

// 32 values of each row to [8][row][4], or [8][even, odd][row][2] int16.
template <class F>
inline void store_panel_quads(const U8 (&quads)[8], uint8_t* to) {
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    if constexpr (kBytes<F> == 1) {
      store_u8(quads[i], to + i * kVectorBytes);
    } else {
      store_u8(as_u8(even_i8(quads[i])), to + 2 * i * kVectorBytes);
      store_u8(as_u8(odd_i8(quads[i])), to + (2 * i + 1) * kVectorBytes);
    }
  }
}

// From the file's rows.
template <class F>
void fill_from_rows(const Weight& weight, const Work& work, int group, Panel<F>& panel) {
  Rows rows;
  const int64_t at = std::min(work.row + group * kLanes, weight.rows - 1);
  row_pointers(weight.data, weight.row_bytes, at, weight.rows - at, rows);
  for (auto& r : rows) r += work.first / F::kBlock * F::kBytes;
  for (int64_t k = 0; k < work.count; k += F::kBlock) {
    F::affine(rows, &panel.scale[group][k / F::kGroup], &panel.offset[group][k / F::kGroup]);
    for (int i = 0; i < F::kBlock / 32; ++i) {
      Bytes q[kLanes];
      for (int r = 0; r < kLanes; ++r) q[r] = F::quants(rows[r], i);
      U8 quads[8];
      interleave(q, quads);
      store_panel_quads<F>(quads, &panel.q[group][(k + 32 * i) * kLanes * kBytes<F>]);
    }
    for (auto& r : rows) {
      prefetch_lines(r + kPanelRows * weight.row_bytes, F::kBytes);  // of the next panel
      r += F::kBytes;
    }
  }
}

// From packed groups of rows; past the last one it stands in, and what it gives is dropped.
template <class F>
void fill_from_packed(const Weight& weight, const Work& work, int group, Panel<F>& panel) {
  using P = Packed<F>;
  const int64_t index = std::min(work.row / kLanes + group, (weight.rows - 1) / kLanes);
  const uint64_t group_bytes = P::group_bytes(weight.cols);
  const uint8_t* start = weight.data + static_cast<uint64_t>(index) * group_bytes;
  const uint64_t ahead = kPanelGroups * group_bytes;  // the next panel
  P::for_blocks(start, weight.cols, work.first, work.count,
                [&](int64_t at, const uint8_t* scales, const uint8_t* quants) {
                  const int64_t k = at - work.first;
                  typename P::Affine affine;
                  affine.load(scales);
                  for (int g = 0; g < kGroups<F>; ++g) {
                    panel.scale[group][k / F::kGroup + g] = affine.scale(g);
                    panel.offset[group][k / F::kGroup + g] = affine.offset(g);
                  }
                  prefetch_lines(scales + ahead, P::kScaleBytes);
                  for (int i = 0; i < F::kBlock / 32; ++i, quants += P::Quants::kBytes) {
                    U8 quads[8];
                    load_quads<typename P::Quants>(quants, quads);
                    store_panel_quads<F>(quads, &panel.q[group][(k + 32 * i) * kLanes * kBytes<F>]);
                    prefetch_lines(quants + ahead, P::Quants::kBytes);
                  }
                });
}

template <class F, bool kIsPacked>
void fill(const Weight& weight, const Work& work, int group, Panel<F>& panel) {
  if constexpr (kIsPacked) {
    fill_from_packed<F>(weight, work, group, panel);
  } else {
    fill_from_rows<F>(weight, work, group, panel);
  }
}

// ---- products of one group of values: the panel's from k on, kTokens tokens' at a

template <int kTokens>
using Products = I32[kPanelGroups][kTokens];

template <class F>
inline I16 first_sum(I16 product, const uint32_t* start) {
  if constexpr (kSums<F> == Sums::kStart) return start_of(start) + product;
  return product;
}

// kSteps quads in int16 all the way; `start` are the tokens' sums.
template <class F, int kSteps, int kTokens>
inline void multiply_i16(const Panel<F>& panel, int64_t k, const uint8_t* a, const uint32_t* start,
                         I16 (&sums)[kPanelGroups][kTokens]) {
#pragma GCC unroll 8
  for (int step = 0; step < kSteps; ++step) {
    U8 w[kPanelGroups];
#pragma GCC unroll 2
    for (int g = 0; g < kPanelGroups; ++g) w[g] = load_u8(&panel.q[g][(k + 4 * step) * kLanes]);
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) {
      const U8 token = splat_quad(a + 4 * (step * kTokens + t));
#pragma GCC unroll 2
      for (int g = 0; g < kPanelGroups; ++g) {
        const I16 product = dot_u8(w[g], token);
        sums[g][t] = step > 0 ? sums[g][t] + product : first_sum<F>(product, start + t);
        pin(sums[g][t]);
      }
    }
  }
}

template <class F, int kTokens>
inline void multiply_bytes(const Panel<F>& panel, int64_t k, const uint8_t* a, const uint32_t* start,
                           Products<kTokens>& sums) {
  constexpr int kQuads = F::kGroup / 4;
  constexpr int kSteps = std::min(kQuads, kSumsInI16<F>);
  static_assert(kSums<F> != Sums::kStart || kSteps == kQuads);
#pragma GCC unroll 2
  for (int quad = 0; quad < kQuads; quad += kSteps) {
    I16 part[kPanelGroups][kTokens];
    multiply_i16<F, kSteps, kTokens>(panel, k + 4 * quad, a + 4 * quad * kTokens, start, part);
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) {
#pragma GCC unroll 2
      for (int g = 0; g < kPanelGroups; ++g)
        sums[g][t] = quad == 0 ? widen(part[g][t]) : sums[g][t] + widen(part[g][t]);
    }
  }
}

template <class F, int kTokens>
inline void multiply_wide(const Panel<F>& panel, int64_t k, const uint8_t* a, Products<kTokens>& sums) {
#pragma GCC unroll 8
  for (int quad = 0; quad < F::kGroup / 4; ++quad) {
    I16 w[kPanelGroups][2];
#pragma GCC unroll 2
    for (int g = 0; g < kPanelGroups; ++g) {
      const uint8_t* from = &panel.q[g][(k + 4 * quad) * 2 * kLanes];
      w[g][0] = as_i16(load_u8(from));
      w[g][1] = as_i16(load_u8(from + kVectorBytes));
    }
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) {
      const I16 even = as_i16(splat_quad(a + 4 * (2 * quad * kTokens + t)));
      const I16 odd = as_i16(splat_quad(a + 4 * ((2 * quad + 1) * kTokens + t)));
#pragma GCC unroll 2
      for (int g = 0; g < kPanelGroups; ++g) {
        const I32 product = dot_i16(w[g][0], even, w[g][1], odd);
        sums[g][t] = quad == 0 ? product : sums[g][t] + product;
        pin(sums[g][t]);
      }
    }
  }
}

// ---- tiles

using TileSums = F32[kPanelGroups][kTileWidth];

// Adds a tile of kTokens tokens, whose activations are x, to acc[group][token].
template <class F, int kTokens>
void run_tile(const Panel<F>& panel, const QuantisedActivations& x, int64_t count, TileSums& acc) {
  for (int64_t k = 0; k < count; k += F::kGroup) {
    const int64_t g = k / F::kGroup;
    const float* scale = x.scale + k / 32 * kTokens;
    const uint32_t* sum = x.sum + g * kTokens;
    Products<kTokens> products;
    if constexpr (F::kSigned) {
      multiply_wide<F, kTokens>(panel, k, x.q + k * 2 * kTokens, products);
    } else {
      multiply_bytes<F, kTokens>(panel, k, x.q + k * kTokens, sum, products);
    }
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) {
#pragma GCC unroll 2
      for (int p = 0; p < kPanelGroups; ++p) {
        acc[p][t] =
            accumulate<F>(acc[p][t], products[p][t], panel.scale[p][g], panel.offset[p][g], scale[t], sum[t]);
      }
    }
  }
}

template <class F>
void run_tile_of(int64_t tokens, const Panel<F>& panel, const QuantisedActivations& x, int64_t count,
                 TileSums& acc) {
  switch (tokens) {
    case 1:
      return run_tile<F, 1>(panel, x, count, acc);
    case 2:
      return run_tile<F, 2>(panel, x, count, acc);
    case 3:
      return run_tile<F, 3>(panel, x, count, acc);
    default:
      return run_tile<F, kTileWidth>(panel, x, count, acc);
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

void store_sums(const LinearTask& task, int64_t row, int64_t token, int64_t tokens, const TileSums& acc) {
  for (int64_t at = row; const auto& group : acc) {
    for (int64_t t = 0; t < tokens; ++t) store_outputs(task, token + t, at, group[t]);
    at += kLanes;
  }
}

template <class F>
void run_panel(LinearTask task, const QuantisedActivations& x, const Panel<F>& panel, const Work& work) {
  const int64_t cols = task.weight.cols;
  if (work.first + work.count < cols) task.bias = nullptr;  // the last chunk adds it
  for (int64_t token = work.begin; token < work.end; token += kTileWidth) {
    const int64_t tokens = std::min(kTileWidth, work.end - token);
    TileSums acc;
    for (auto& group : acc) {
      for (F32& a : group) a = zero();
    }
    if (work.first > 0) load_sums(task, work.row, token, tokens, acc);
    run_tile_of<F>(tokens, panel, from<F, kBytes<F>>(x, token * cols + work.first * tokens), work.count, acc);
    store_sums(task, work.row, token, tokens, acc);
  }
}

template <class F, bool kIsPacked>
void many_tokens(const LinearTask& task, const QuantisedActivations& x, int64_t begin, int64_t end) {
  Panel<F> panel;
  for (int64_t token = 0; token < task.tokens; token += kBlockTokens<F>) {
    Work work = {0, 0, 0, token, std::min(token + kBlockTokens<F>, task.tokens)};
    do {
      work.count = std::min(kChunk, task.weight.cols - work.first);
      for (work.row = begin; work.row < end; work.row += kPanelRows) {
        for (int g = 0; g < kPanelGroups; ++g) fill<F, kIsPacked>(task.weight, work, g, panel);
        run_panel<F>(task, x, panel, work);
      }
      work.first += kChunk;
    } while (work.first < task.weight.cols);
  }
}

}  // namespace

QuantisedWay many_tokens_q8(int32_t dtype, bool is_packed) {
  QuantisedWay way = {};
  visit(dtype, [&](auto format) {
    using F = decltype(format);
    way = {{kSums<F>, F::kGroup, F::kZero, kBytes<F>, kTileWidth},
           INT64_MAX,
           kPanelRows,
           &many_tokens<F, false>};
  });
  if (!is_packed) return way;
  visit_packed(dtype, [&](auto format) { way.compute = &many_tokens<decltype(format), true>; });
  return way;
}

}  // namespace belay::BELAY_ISA
