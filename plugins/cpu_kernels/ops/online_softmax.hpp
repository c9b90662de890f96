// A softmax over blocks of positions that arrive one after another: what a query row has summed so far is
// scaled down when a larger score comes. Scores are to base 2, so that a weight is 2^(score - top).
#pragma once

#include "plugins/cpu_kernels/simd/math.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace belay::BELAY_ISA {

struct SoftmaxRow {
  static constexpr float kInfinity = std::numeric_limits<float>::infinity();

  float top = -kInfinity;  // largest score so far
  float total = 0;         // sum of 2^(score - top)
  int64_t visible = 0;     // positions that this query sees

  // Turns the first `count` of the scores of a block of 64 into weights, the rest of their last vector into
  // 0, and scales sums[0..width), the weighted values so far, to the new top. width is a multiple of kLanes.
  void add_block(float* scores, int64_t count, float* sums, int64_t width) {
    std::fill(scores + count, scores + (count + kLanes - 1) / kLanes * kLanes, -kInfinity);
    F32 largest = splat(top);
    for (int64_t i = 0; i < count; i += kLanes) largest = max(largest, load(scores + i));
    const float new_top = max_lane(largest);
    const float shift = new_top == -kInfinity ? 0.0f : new_top;  // -inf - -inf would be NaN too early
    F32 weights = zero();
    for (int64_t i = 0; i < count; i += kLanes) {
      const F32 weight = exp2(load(scores + i) - splat(shift));
      store(weight, scores + i);
      weights = weights + weight;
    }
    if (top != new_top) {
      const float factor = top == -kInfinity ? 0.0f : std::exp2(top - shift);
      total *= factor;
      for (int64_t i = 0; i < width; i += kLanes) store(load(sums + i) * splat(factor), sums + i);
    }
    total += sum(weights);
    top = new_top;
  }
};

}  // namespace belay::BELAY_ISA
