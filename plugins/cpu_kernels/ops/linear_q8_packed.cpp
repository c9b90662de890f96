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

// The products of a group of values: lane r belongs to row r.
template <class F>
inline I32 products(const U8* quads, const uint8_t* a, const uint32_t* start) {
  constexpr int kQuads = F::kGroup / 4;
  constexpr int kSteps = F::kSigned ? 1 : std::min(kQuads, kSumsInI16<F>);
  static_assert(kSums<F> != Sums::kStart || kSteps == kQuads);
  I32 sum = zero_i32();
#pragma GCC unroll 8
  for (int quad = 0; quad < kQuads; quad += kSteps) {
    I16 part = kSums<F> == Sums::kStart ? start_of(start) : zero_i16();
#pragma GCC unroll 8
    for (int i = quad; i < quad + kSteps; ++i) {
      const U8 token = splat_quad(a + 4 * i);
      part = part + (F::kSigned ? dot_i8(quads[i], token) : dot_u8(quads[i], token));
      pin(part);
    }
    sum = sum + widen(part);
  }
  return sum;
}

// Part `i` of a block, 32 values of each row of one group, with one token's values from k on.
template <class F>
inline F32 add_part(F32 acc, const uint8_t* quants, int i, int64_t k, const F32* scale, const F32* offset,
                    const QuantisedActivations& x) {
  constexpr int kGroupsOfPart = 32 / F::kGroup;
  U8 quads[8];
  Packed<F>::Quants::load(quants + i * Packed<F>::Quants::kBytes, quads);
#pragma GCC unroll 2
  for (int g = 0; g < kGroupsOfPart; ++g) {
    const int64_t at = k + g * F::kGroup;
    const uint32_t* sum = x.sum + at / F::kGroup;
    const I32 product = products<F>(quads + g * F::kGroup / 4, x.q + at, sum);
    const int of_block = i * kGroupsOfPart + g;
    acc = accumulate<F>(acc, product, scale[of_block], offset[of_block], x.scale[at / 32], *sum);
  }
  return acc;
}

// Adds one token's products with kCount groups of rows, `stride` bytes apart from `data` on.
template <class F, int kCount>
inline void add_groups(const uint8_t* data, uint64_t stride, int64_t cols, const QuantisedActivations& x,
                       F32 (&acc)[kCount]) {
  Packed<F>::for_blocks(data, cols, 0, cols, [&](int64_t k, const uint8_t* scales, const uint8_t* quants) {
    F32 scale[kCount][kGroups<F>];
    F32 offset[kCount][kGroups<F>];
#pragma GCC unroll 4
    for (int s = 0; s < kCount; ++s) Packed<F>::affine(scales + s * stride, scale[s], offset[s]);
#pragma GCC unroll 8
    for (int i = 0; i < F::kBlock / 32; ++i) {
#pragma GCC unroll 4
      for (int s = 0; s < kCount; ++s)
        acc[s] = add_part<F>(acc[s], quants + s * stride, i, k + 32 * i, scale[s], offset[s], x);
    }
  });
}

// kCount groups of rows, `apart` rows from one to the next.
template <class F, int kCount>
void run_groups(const LinearTask& task, const QuantisedActivations& x, int64_t row, int64_t apart) {
  const Weight& weight = task.weight;
  const uint64_t group_bytes = Packed<F>::group_bytes(weight.cols);
  const uint8_t* data = weight.data + static_cast<uint64_t>(row / kLanes) * group_bytes;
  for (int64_t t = 0; t < task.tokens; ++t) {
    F32 acc[kCount];
    for (F32& a : acc) a = zero();
    add_groups<F, kCount>(data, static_cast<uint64_t>(apart / kLanes) * group_bytes, weight.cols,
                          from<F>(x, t * weight.cols), acc);
    for (int s = 0; s < kCount; ++s) store_outputs(task, t, row + s * apart, acc[s]);
  }
}

// The rows in kStreams equal parts side by side, then what is left.
template <class F>
void few_tokens(const LinearTask& task, const QuantisedActivations& x, int64_t begin, int64_t end) {
  const int64_t part = (end - begin) / (kStreams * kLanes) * kLanes;
  for (int64_t row = begin; row < begin + part; row += kLanes) run_groups<F, kStreams>(task, x, row, part);
  for (int64_t row = begin + kStreams * part; row < end; row += kLanes) run_groups<F, 1>(task, x, row, 0);
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
