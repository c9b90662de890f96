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

// erf(x) with an absolute error below 3e-7: a rational function of x on [-4, 4] (Eigen's), beyond which it is
// +-1.
inline F32 erf(F32 x) {
  x = min(splat(4.0f), max(splat(-4.0f), x));
  const F32 s = x * x;
  F32 p = splat(-2.72614225801306e-10f);
  p = mul_add(p, s, splat(2.77068142495902e-08f));
  p = mul_add(p, s, splat(-2.10102402082508e-06f));
  p = mul_add(p, s, splat(-5.69250639462346e-05f));
  p = mul_add(p, s, splat(-7.34990630326855e-04f));
  p = mul_add(p, s, splat(-2.95459980854025e-03f));
  p = mul_add(p, s, splat(-1.60960333262415e-02f));
  F32 q = splat(-1.45660718464996e-05f);
  q = mul_add(q, s, splat(-2.13374055278905e-04f));
  q = mul_add(q, s, splat(-1.68282697438203e-03f));
  q = mul_add(q, s, splat(-7.37332916720468e-03f));
  q = mul_add(q, s, splat(-1.42647390514189e-02f));
  return x * p / q;
}

// x / (1 + e^-x)
inline F32 silu(F32 x) { return x / (splat(1.0f) + exp(zero() - x)); }

}  // namespace belay::BELAY_ISA
