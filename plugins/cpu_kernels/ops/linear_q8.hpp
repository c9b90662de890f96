// What the ways to compute linear with quantised activations have in common. A lane is a row, and a row's
// blocks are added in order, so that all give the same bits.
#pragma once

#include "plugins/cpu_kernels/ops/linear.hpp"
#include "plugins/cpu_kernels/quant/visit.hpp"

#include <bit>

namespace belay::BELAY_ISA {

template <class F>
inline constexpr Sums kSums = F::kSigned      ? Sums::kNone
                              : F::kZero != 0 ? Sums::kStart
                                              : Sums::kScaled;

// The activations from value `at` on, whose integers have kBytes bytes; `at` begins a group of a tile.
template <class F, int kBytes = 1>
inline QuantisedActivations from(const QuantisedActivations& x, int64_t at) {
  return {x.q + at * kBytes, x.scale + at / 32, x.sum + at / F::kGroup};
}

// The start of the sum of products, for kStart.
inline I16 start_of(const uint32_t* sum) { return as_i16(splat_quad(sum)); }

// One group of kLanes rows: scale * (da * q.a) + offset * (da * sum a).
template <class F>
inline F32 accumulate(F32 acc, I32 product, F32 scale, F32 offset, float token_scale, uint32_t token_sum) {
  acc = mul_add(scale * splat(token_scale), to_f32(product), acc);
  if constexpr (kSums<F> == Sums::kScaled) {
    acc = mul_add(offset, splat(std::bit_cast<float>(token_sum)), acc);
  }
  return acc;
}

}  // namespace belay::BELAY_ISA
