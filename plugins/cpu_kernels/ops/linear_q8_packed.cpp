// The quantised path of linear for one token, and for so few that unpacking a panel would cost more, over
// packed rows: a few groups of rows are read side by side, as streams that the memory delivers faster than
// one.
#include "plugins/cpu_kernels/ops/linear_q8.hpp"
#include "plugins/cpu_kernels/quant/packed.hpp"

#include <algorithm>

namespace belay::BELAY_ISA {
namespace {

constexpr int kStreams = 2;
constexpr int64_t kMostTokens = 2;  // from more on a panel pays off

// All that follows goes through the values with kCount groups of rows, `stride` bytes apart, and kTokens
// tokens together: what is unpacked meets every token, and what is broadcast every group. Inlined by force,
// since GCC 12 otherwise makes one piece of it too late to keep the sums in registers.

// Adds the products of quad `quad` of a part, 32 values of each row.
template <class F, int kCount, int kTokens>
[[gnu::always_inline]] inline void add_quad(const uint8_t* quants, uint64_t stride, int quad,
                                            const QuantisedActivations (&x)[kTokens],
                                            I16 (&sum)[kCount][kTokens]) {
  U8 token[kTokens];
  for (int t = 0; t < kTokens; ++t) token[t] = splat_quad(x[t].q + 4 * quad);
#pragma GCC unroll 4
  for (int s = 0; s < kCount; ++s) {
    const U8 w = Packed<F>::Quants::quad(quants + s * stride, quad);
#pragma GCC unroll 2
    for (int t = 0; t < kTokens; ++t) {
      sum[s][t] = sum[s][t] + (F::kSigned ? dot_i8(w, token[t]) : dot_u8(w, token[t]));
      pin(sum[s][t]);
    }
  }
}

// The products of group `g` of values of a part: lane r belongs to row r.
template <class F, int kCount, int kTokens>
[[gnu::always_inline]] inline void products(const uint8_t* quants, uint64_t stride, int g,
                                            const QuantisedActivations (&x)[kTokens],
                                            I32 (&sum)[kCount][kTokens]) {
  constexpr int kQuads = F::kGroup / 4;
  constexpr int kSteps = F::kSigned ? 1 : std::min(kQuads, kSumsInI16<F>);
  static_assert(kSums<F> != Sums::kStart || kSteps == kQuads);
  for (auto& of_group : sum) std::fill_n(of_group, kTokens, zero_i32());
#pragma GCC unroll 8
  for (int first = 0; first < kQuads; first += kSteps) {
    I16 part[kCount][kTokens];
    for (int t = 0; t < kTokens; ++t) {
      const I16 start = kSums<F> == Sums::kStart ? start_of(x[t].sum + g) : zero_i16();
      for (int s = 0; s < kCount; ++s) part[s][t] = start;
    }
#pragma GCC unroll 8
    for (int i = 0; i < kSteps; ++i) add_quad<F>(quants, stride, g * kQuads + first + i, x, part);
    for (int s = 0; s < kCount; ++s) {
      for (int t = 0; t < kTokens; ++t) sum[s][t] = sum[s][t] + widen(part[s][t]);
    }
  }
}

// Adds the products of part `i` of a block: `quants` and `x` begin with it.
template <class F, int kCount, int kTokens>
[[gnu::always_inline]] inline void add_part(const uint8_t* quants, uint64_t stride, int i,
                                            const typename Packed<F>::Affine (&affine)[kCount],
                                            const QuantisedActivations (&x)[kTokens],
                                            F32 (&acc)[kCount][kTokens]) {
  constexpr int kGroupsOfPart = 32 / F::kGroup;
#pragma GCC unroll 2
  for (int g = 0; g < kGroupsOfPart; ++g) {
    I32 sum[kCount][kTokens];
    products<F>(quants, stride, g, x, sum);
#pragma GCC unroll 4
    for (int s = 0; s < kCount; ++s) {
#pragma GCC unroll 2
      for (int t = 0; t < kTokens; ++t)
        acc[s][t] = accumulate<F>(acc[s][t], sum[s][t], affine[s].scale(i * kGroupsOfPart + g),
                                  affine[s].offset(i * kGroupsOfPart + g), *x[t].scale, x[t].sum[g]);
    }
  }
}

template <class F, int kCount, int kTokens>
inline void add_groups(const uint8_t* data, uint64_t stride, int64_t cols, QuantisedActivations (&x)[kTokens],
                       F32 (&acc)[kCount][kTokens]) {
  Packed<F>::for_blocks(data, cols, 0, cols, [&](int64_t, const uint8_t* scales, const uint8_t* quants) {
    typename Packed<F>::Affine affine[kCount];
#pragma GCC unroll 4
    for (int s = 0; s < kCount; ++s) affine[s].load(scales + s * stride);
#pragma GCC unroll 8
    for (int i = 0; i < F::kBlock / 32; ++i) {
      QuantisedActivations part[kTokens];
      for (int t = 0; t < kTokens; ++t) part[t] = from<F>(x[t], 32 * i);
      add_part<F>(quants + i * Packed<F>::Quants::kBytes, stride, i, affine, part, acc);
    }
    for (QuantisedActivations& token : x) token = from<F>(token, F::kBlock);
  });
}

// kCount groups of rows, `apart` rows from one to the next.
template <class F, int kCount, int kTokens>
void run_groups(const LinearTask& task, const QuantisedActivations& x, int64_t row, int64_t apart) {
  const Weight& weight = task.weight;
  const uint64_t group_bytes = Packed<F>::group_bytes(weight.cols);
  const uint8_t* data = weight.data + static_cast<uint64_t>(row / kLanes) * group_bytes;
  F32 acc[kCount][kTokens];
  QuantisedActivations tokens[kTokens];
  for (int t = 0; t < kTokens; ++t) {
    tokens[t] = from<F>(x, t * weight.cols);
    for (int s = 0; s < kCount; ++s) acc[s][t] = zero();
  }
  add_groups<F>(data, static_cast<uint64_t>(apart / kLanes) * group_bytes, weight.cols, tokens, acc);
  for (int t = 0; t < kTokens; ++t) {
    for (int s = 0; s < kCount; ++s) store_outputs(task, t, row + s * apart, acc[s][t]);
  }
}

// The rows in kStreams equal parts side by side, then what is left.
template <class F, int kTokens>
void run_tokens(const LinearTask& task, const QuantisedActivations& x, int64_t begin, int64_t end) {
  const int64_t part = (end - begin) / (kStreams * kLanes) * kLanes;
  for (int64_t row = begin; row < begin + part; row += kLanes)
    run_groups<F, kStreams, kTokens>(task, x, row, part);
  for (int64_t row = begin + kStreams * part; row < end; row += kLanes)
    run_groups<F, 1, kTokens>(task, x, row, 0);
}

template <class F>
void few_tokens(const LinearTask& task, const QuantisedActivations& x, int64_t begin, int64_t end) {
  if (task.tokens == 2) {
    run_tokens<F, 2>(task, x, begin, end);
  } else {
    run_tokens<F, 1>(task, x, begin, end);
  }
}

}  // namespace

QuantisedWay few_tokens_q8_packed(int32_t dtype) {
  QuantisedWay way = {};
  visit_packed(dtype, [&](auto format) {
    using F = decltype(format);
    way = {{kSums<F>, F::kGroup, F::kZero, 1, 1}, kMostTokens, kLanes, &few_tokens<F>};
  });
  return way;
}

}  // namespace belay::BELAY_ISA
