// A block of 32 floats as integers and a scale: activations of the quantised linear, rows of a KV cache.
#pragma once

#include "plugins/cpu_kernels/simd/simd.hpp"

namespace belay::BELAY_ISA {

inline constexpr int kBlockVectors = 32 / kLanes;

// One block of 32 as integers in [-limit, limit]: its scale, and the integers in v.
inline float quantise_block(const float* x, float limit, I32 (&v)[kBlockVectors]) {
  F32 value[kBlockVectors];
  F32 largest = zero();
  F32 poison = zero();
  for (int i = 0; i < kBlockVectors; ++i) {
    value[i] = load(x + i * kLanes);
    largest = max(largest, abs(value[i]));
    poison = mul_add(value[i], zero(), poison);  // NaN when a value is not finite
  }
  const float top = max_lane(largest);
  // Below this the inverse overflows; such values are 0 to any sum of ordinary ones.
  constexpr float kSmallest = 0x1p-110f;
  const F32 inverse = splat(top >= kSmallest ? limit / top : 0.0f);
  for (int i = 0; i < kBlockVectors; ++i) v[i] = round_to_i32(value[i] * inverse);
  return (top >= kSmallest ? top / limit : 0.0f) + sum(poison);
}

}  // namespace belay::BELAY_ISA
