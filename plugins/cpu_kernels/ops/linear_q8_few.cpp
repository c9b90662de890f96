// The quantised path of linear for one token, and for so few that unpacking a panel would cost more, over the
// file's own blocks: a few rows side by side, as integer products of weight blocks and activation blocks,
// scaled in float.
#include "plugins/cpu_kernels/ops/linear_q8.hpp"

#include <algorithm>

namespace belay::BELAY_ISA {
namespace {

// The 32 products of block part `i` in each row, summed over groups of 32 or 16: lane r belongs to row r.
template <class F>
inline void products(const Rows& rows, int i, Bytes a, I32 (&sums)[32 / F::kGroup]) {
  if constexpr (F::kGroup == 32) {
    I32 part[kLanes];
#pragma GCC unroll 8
    for (int r = 0; r < kLanes; ++r) part[r] = dot<F::kSigned>(F::quants(rows[r], i), a);
    sums[0] = sum_rows(part);
  } else {
    I32 first[kLanes];
    I32 second[kLanes];
#pragma GCC unroll 8
    for (int r = 0; r < kLanes; ++r) dot_halves<F::kSigned>(F::quants(rows[r], i), a, first[r], second[r]);
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
      products<F>(rows, i, load_bytes(x.q + k + 32 * i), sums);
      for (int g = 0; g < kPerPart; ++g) {
        const int at = i * kPerPart + g;
        const uint32_t* sum = x.sum + k / F::kGroup + at;
        if constexpr (kSums<F> == Sums::kStart) sums[g] = sums[g] + widen(start_of(sum));
        acc = accumulate<F>(acc, sums[g], scale[at], offset[at], x.scale[k / 32 + i], *sum);
      }
    }
    for (int r = 0; r < kLanes; ++r) {
      prefetch_lines(rows[r] + ahead, F::kBytes);
      rows[r] += F::kBytes;
    }
  }
  return acc;
}

// From more on unpacking pays off: later where the file's bytes need no unpacking and panels are int16.
template <class F>
inline constexpr int64_t kMostTokens = F::kSigned ? 2 : 1;

template <class F>
void few_tokens(const LinearTask& task, const QuantisedActivations& x, int64_t begin, int64_t end) {
  const Weight& weight = task.weight;
  for (int64_t row = begin; row < end; row += kLanes) {
    const int64_t here = std::min<int64_t>(kLanes, weight.rows - row);
    Rows rows;
    row_pointers(weight.data, weight.row_bytes, row, here, rows);
    for (int64_t t = 0; t < task.tokens; ++t) {
      const QuantisedActivations token = from<F>(x, t * weight.cols);
      store_outputs(task, t, row, row_group<F>(rows, kLanes * weight.row_bytes, weight.cols, token));
    }
  }
}

}  // namespace

QuantisedWay few_tokens_q8(int32_t dtype) {
  QuantisedWay way = {};
  visit(dtype, [&](auto format) {
    using F = decltype(format);
    way = {{kSums<F>, F::kGroup, F::kZero, 1, 1}, kMostTokens<F>, kLanes, &few_tokens<F>};
  });
  return way;
}

}  // namespace belay::BELAY_ISA
