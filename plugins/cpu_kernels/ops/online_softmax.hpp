// A softmax over blocks of positions that arrive one after another. Scores are to base 2, and a weight is
// 2^(score - shift): the shift is a score that was the largest when it was taken, and moves only when a
// weight would exceed 2^kSlack, because what a query row has summed so far must then be scaled.
#pragma once

#include "plugins/cpu_kernels/simd/math.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace belay::BELAY_ISA {

inline constexpr float kSlack = 8;
inline constexpr float kHidden = -std::numeric_limits<float>::infinity();  // score of what is not seen
inline constexpr float kNoShift = std::numeric_limits<float>::lowest();    // before the first block

struct SoftmaxRow {
  float shift = kNoShift;
  float total = 0;      // sum of the weights
  int64_t visible = 0;  // positions that this query sees

  // Turns the first `count` of the scores of a block of 64 into weights, and scales sums[0..width), the
  // weighted values so far, to the new shift. width is a multiple of kLanes.
  void add_block(float* scores, int64_t count, float* sums, int64_t width) {
    constexpr int kStep = 4;
    constexpr int64_t kStepWidth = kStep * kLanes;
    const int64_t end = (count + kStepWidth - 1) / kStepWidth * kStepWidth;
    std::fill(scores + count, scores + end, kHidden);
    F32 largest = splat(shift);
    for (int64_t i = 0; i < end; i += kLanes) largest = max(load(scores + i), largest);  // passes NaN over
    if (const float top = max_lane(largest); top > shift + kSlack) move_shift(top, sums, width);
    F32 weights = zero();
    for (int64_t i = 0; i < end; i += kStepWidth) {
      F32 x[kStep];
#pragma GCC unroll 4
      for (int j = 0; j < kStep; ++j) x[j] = load(scores + i + j * kLanes) - splat(shift);
      exp2(x);
#pragma GCC unroll 4
      for (int j = 0; j < kStep; ++j) {
        store(x[j], scores + i + j * kLanes);
        weights = weights + x[j];
      }
    }
    total += sum(weights);
  }

 private:
  void move_shift(float to, float* sums, int64_t width) {
    const float factor = std::exp2(shift - to);
    shift = to;
    total *= factor;
    for (int64_t i = 0; i < width; i += kLanes) store(load(sums + i) * splat(factor), sums + i);
  }
};

}  // namespace belay::BELAY_ISA
