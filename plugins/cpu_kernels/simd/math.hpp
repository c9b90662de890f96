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

// 2^x for x <= 127 with a relative error below 2e-7; 0 from -126.5 down; NaN stays. x = n + r with |r| <=
// 1/2, and a polynomial for 2^r (Cephes' exp2f).
inline F32 exp2(F32 x) {
  x = max(splat(-127.0f), x);
  const I32 n = round_to_i32(x);
  const F32 r = x - to_f32(n);
  F32 p = splat(1.535336188319500e-4f);
  p = mul_add(p, r, splat(1.339887440266574e-3f));
  p = mul_add(p, r, splat(9.618437357674640e-3f));
  p = mul_add(p, r, splat(5.550332471162809e-2f));
  p = mul_add(p, r, splat(2.402264791363012e-1f));
  p = mul_add(p, r, splat(6.931472028550421e-1f));
  return mul_add(p, r, splat(1.0f)) * pow2(n);
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
