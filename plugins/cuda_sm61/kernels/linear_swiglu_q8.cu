// Decode's gate and up, with what they become quantised in the same launch: a block of threads computes 32
// rows of both, which are a block of the next product's activations.
#include "plugins/cuda_sm61/kernels/device.h"
#include "plugins/cuda_sm61/kernels/linear_outputs.h"
#include "plugins/cuda_sm61/kernels/linear_params.h"
#include "plugins/cuda_sm61/kernels/linear_q8.h"
#include "plugins/cuda_sm61/kernels/quantise.h"

namespace {

template <class Format>
BELAY_DEVICE void swiglu(const LinearSwigluParams& p) {
  BELAY_SHARED(float, values, 32);
  constexpr int kWarps = BELAY_LINEAR_SWIGLU_THREADS / 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int blocks = p.k / 32;
  const int first_row = static_cast<int>(blockIdx.x) * 32;
  BELAY_NO_UNROLL
  for (int i = warp; i < 32; i += kWarps) {
    const int first = (first_row + i) * blocks;
    float sums[2] = {};
    multiply_rows<Format, 1>({p.gate, first}, {p.up, first}, {p.low, p.high, p.scales, 1, blocks}, sums);
    const float gate = warp_sums(sums);
    const float up = __shfl_xor_sync(BELAY_FULL_WARP, gate, 16);
    if (lane == 0) values[i] = silu(gate) * up;
  }
  __syncthreads();
  if (warp != 0) return;
  const float4 quad = reinterpret_cast<const float4*>(values)[lane % 8];
  store_quantised({p.y_low, p.y_high, p.y_scales}, blockIdx.x, lane % 8, quad, lane < 8);
}

}  // namespace

#define BELAY_SWIGLU_Q8(type, Format)                                                                        \
  BELAY_KERNEL_BOUNDS(belay_linear_swiglu_q8_##type, LinearSwigluParams p, BELAY_LINEAR_SWIGLU_THREADS, 2) { \
    swiglu<Format>(p);                                                                                       \
  }

BELAY_SWIGLU_Q8(q8_0, FormatQ8_0)
BELAY_SWIGLU_Q8(q4_0, FormatQ4_0)
BELAY_SWIGLU_Q8(q4_1, FormatQ4_1)
BELAY_SWIGLU_Q8(q5_0, FormatQ5_0)
BELAY_SWIGLU_Q8(q5_1, FormatQ5_1)
BELAY_SWIGLU_Q8(q4_k, FormatQ4_K)
BELAY_SWIGLU_Q8(q5_k, FormatQ5_K)
BELAY_SWIGLU_Q8(q6_k, FormatQ6_K)
