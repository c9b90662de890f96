// Decode's way out of attention, W x + residual, with what comes next: the block that ends last norms the
// outputs and quantises them for the product that reads them.
#include "plugins/cuda_sm61/kernels/last_block.h"
#include "plugins/cuda_sm61/kernels/linear_gemv_q8.h"
#include "plugins/cuda_sm61/kernels/linear_norm_params.h"
#include "plugins/cuda_sm61/kernels/quantise.h"
#include "plugins/cuda_sm61/kernels/rows.h"

namespace {

constexpr int kThreads = BELAY_LINEAR_GEMV_THREADS;
static_assert(kThreads == 128, "two halves make the 256 threads of belay_rms_norm");

BELAY_DEVICE float4 fresh_quad(const float* row, int quad) {
  return load_fresh(reinterpret_cast<const float4*>(row) + quad);
}

BELAY_DEVICE float squares_from(const float* row, int quads, int first, int step) {
  float squares = 0.0f;
  for (int quad = first; quad < quads; quad += step) {
    const float4 value = fresh_quad(row, quad);
    squares = add_dot(squares, value, value);
  }
  return warp_sum(squares);
}

// The sum of squares of a row in the order of belay_rms_norm_short, which each warp does by itself, or of
// belay_rms_norm, whose eight warps these four are in turn.
BELAY_DEVICE float sum_of_squares(const float* row, int d) {
  BELAY_SHARED(float, parts, 8);
  const int thread = static_cast<int>(threadIdx.x);
  const int quads = d / 4;
  if (d <= BELAY_RMS_NORM_SHORT) return squares_from(row, quads, thread % 32, 32);
  BELAY_UNROLL
  for (int half = 0; half < 2; ++half) {
    const float part = squares_from(row, quads, half * kThreads + thread, 2 * kThreads);
    if (thread % 32 == 0) parts[half * 4 + thread / 32] = part;
  }
  __syncthreads();
  float sum = 0.0f;
  BELAY_UNROLL
  for (int i = 0; i < 8; ++i) sum += parts[i];
  return sum;
}

BELAY_DEVICE void norm_row(const LinearNormParams& p) {
  const float* const row = p.linear.matrix[0].y;
  const int d = p.linear.matrix[0].rows;
  const int quads = d / 4;
  const float scale = 1.0f / sqrtf(sum_of_squares(row, d) / static_cast<float>(d) + p.epsilon);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int base = static_cast<int>(threadIdx.x) - lane; base < quads; base += kThreads) {
    const int quad = base + lane;
    const bool inside = quad < quads;
    float4 y = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (inside) y = (scale * fresh_quad(row, quad)) * load_quad(p.weight, quad, d);
    store_quantised({p.low, p.high, p.scales}, quad / 8, quad % 8, y, inside);
  }
}

template <class Format>
BELAY_DEVICE void linear_norm(const LinearNormParams& p) {
  gemv_q8<Format, 1>(p.linear);
  if (is_last_block(p.counter, gridDim.x)) norm_row(p);
}

}  // namespace

#define BELAY_LINEAR_NORM_Q8(type, Format)                                                             \
  BELAY_KERNEL_BOUNDS(belay_linear_norm_q8_##type, LinearNormParams p, BELAY_LINEAR_GEMV_THREADS, 8) { \
    linear_norm<Format>(p);                                                                            \
  }

BELAY_LINEAR_NORM_Q8(q8_0, FormatQ8_0)
BELAY_LINEAR_NORM_Q8(q4_0, FormatQ4_0)
BELAY_LINEAR_NORM_Q8(q4_1, FormatQ4_1)
BELAY_LINEAR_NORM_Q8(q5_0, FormatQ5_0)
BELAY_LINEAR_NORM_Q8(q5_1, FormatQ5_1)
BELAY_LINEAR_NORM_Q8(q4_k, FormatQ4_K)
BELAY_LINEAR_NORM_Q8(q5_k, FormatQ5_K)
BELAY_LINEAR_NORM_Q8(q6_k, FormatQ6_K)
