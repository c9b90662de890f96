// Functions of a vector of floats, written once over the vocabulary. Errors are measured against double over
// the whole range (tests/kernels).
#pragma once

#include "plugins/cpu_kernels/simd/simd.hpp"

namespace belay::BELAY_ISA {

// e^x with a relative error below 2e-7; 0 and infinity where float has nothing else, denormals in between;
// NaN stays. x = n ln2 + r with |r| <= ln2/2, and a polynomial for e^r (Cephes' expf).
inline F32 exp(F32 x) {
  x = min(splat(89.0f), max(splat(-104.0f), x));
  const I32 n = round_to_i32(x * splat(1.44269504f));
  const F32 whole = to_f32(n);
  F32 r = mul_add(whole, splat(-0.693359375f), x);
  r = mul_add(whole, splat(2.12194440e-4f), r);
  F32 p = splat(1.9875691500e-4f);
  p = mul_add(p, r, splat(1.3981999507e-3f));
  p = mul_add(p, r, splat(8.3334519073e-3f));
  p = mul_add(p, r, splat(4.1665795894e-2f));
  p = mul_add(p, r, splat(1.6666665459e-1f));
  p = mul_add(p, r, splat(5.0000001201e-1f));
  p = mul_add(p, r * r, r) + splat(1.0f);
  // In two steps, because 2^n itself may be below or above what a float holds.
  const I32 half = shift_right(n, 1);
  return p * pow2(half) * pow2(n - half);
}

// 2^x of some vectors, for x <= 127, with a relative error below 2e-7; 0 from -126.5 down; NaN stays. x = n +
// r with |r| <= 1/2, and the polynomial of least relative error for 2^r among those that are 1 at 0. Step by
// step for all of them, because a processor does not look far enough ahead to run one chain beside the next.
template <int kCount>
[[gnu::always_inline]] inline void exp2(F32 (&x)[kCount]) {
  I32 n[kCount];
  F32 p[kCount];
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) x[i] = max(splat(-127.0f), x[i]);
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) n[i] = round_to_i32(x[i]);
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) x[i] = x[i] - to_f32(n[i]);
#pragma GCC unroll 8
  for (F32& each : p) each = splat(1.32647269e-3f);
  for (const float c : {9.67151266e-3f, 5.55073374e-2f, 2.40222421e-1f, 6.93146978e-1f, 1.0f}) {
#pragma GCC unroll 8
    for (int i = 0; i < kCount; ++i) p[i] = mul_add(p[i], x[i], splat(c));
  }
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) x[i] = p[i] * pow2(n[i]);
}

// erfc(x) for x >= 0 with a relative error below 2e-7 up to where e^(x^2) has rounding of its own: the
// Chebyshev fit of Numerical Recipes.
inline F32 erfc(F32 x) {
  const F32 t = splat(1.0f) / mul_add(x, splat(0.5f), splat(1.0f));
  F32 p = splat(0.17087277f);
  p = mul_add(p, t, splat(-0.82215223f));
  p = mul_add(p, t, splat(1.48851587f));
  p = mul_add(p, t, splat(-1.13520398f));
  p = mul_add(p, t, splat(0.27886807f));
  p = mul_add(p, t, splat(-0.18628806f));
  p = mul_add(p, t, splat(0.09678418f));
  p = mul_add(p, t, splat(0.37409196f));
  p = mul_add(p, t, splat(1.00002368f));
  p = mul_add(p, t, splat(-1.26551223f));
  return t * exp(p - x * x);
}

// x / (1 + e^-x)
inline F32 silu(F32 x) { return x / (splat(1.0f) + exp(zero() - x)); }

}  // namespace belay::BELAY_ISA
