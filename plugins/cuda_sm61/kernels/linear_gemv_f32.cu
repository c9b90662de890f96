// y = W x for few tokens, x as it is, weights made floats on the way. A warp has two rows, a lane takes every
// 32nd part of 8 values of them.
#include "plugins/cuda_sm61/kernels/device.h"
#include "plugins/cuda_sm61/kernels/linear_f32.h"
#include "plugins/cuda_sm61/kernels/linear_outputs.h"
#include "plugins/cuda_sm61/kernels/linear_params.h"

namespace {

template <class Format, int kColumns>
BELAY_DEVICE void gemv(const LinearParams& p) {
  const RowPair pair = row_pair(p);
  if (!pair.any) return;  // the whole warp
  const WeightPlanes planes = planes_of(p, pair.matrix);
  const WeightPlanes second_planes = planes_of(p, pair.second_matrix);
  const int parts = Format::parts_of(p.k);
  const int first = pair.row * parts;
  const int second = pair.second_row * parts;
  float sums[2 * kColumns] = {};
  BELAY_NO_UNROLL
  for (int i = static_cast<int>(threadIdx.x) % 32; i < parts; i += 32) {
    const Part upper = Format::part(planes, first + i);
    const Part lower = Format::part(second_planes, second + i);
    BELAY_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      const float* const row = p.x + static_cast<long long>(min(c, p.tokens - 1)) * p.k;
      const float4 a = activations<Format>(row, Format::first_of(i), p.k);
      const float4 b = activations<Format>(row, Format::second_of(i), p.k);
      sums[c] = add_products(add_products(sums[c], upper.first, a), upper.second, b);
      sums[kColumns + c] = add_products(add_products(sums[kColumns + c], lower.first, a), lower.second, b);
    }
  }
  store_pair<kColumns>(p, pair, sums);
}

}  // namespace

#define BELAY_GEMV_F32(type, Format)                                                                  \
  BELAY_KERNEL_BOUNDS(belay_linear_gemv_f32x1_##type, LinearParams p, BELAY_LINEAR_GEMV_THREADS, 8) { \
    gemv<Format, 1>(p);                                                                               \
  }                                                                                                   \
  BELAY_KERNEL_BOUNDS(belay_linear_gemv_f32x4_##type, LinearParams p, BELAY_LINEAR_GEMV_THREADS, 6) { \
    gemv<Format, 4>(p);                                                                               \
  }                                                                                                   \
  BELAY_KERNEL_BOUNDS(belay_linear_gemv_f32x8_##type, LinearParams p, BELAY_LINEAR_GEMV_THREADS, 4) { \
    gemv<Format, 8>(p);                                                                               \
  }

BELAY_GEMV_F32(f32, FormatF32)
BELAY_GEMV_F32(f16, FormatF16)
BELAY_GEMV_F32(bf16, FormatBF16)
BELAY_GEMV_F32(q8_0, FormatQ8_0)
BELAY_GEMV_F32(q4_0, FormatQ4_0)
BELAY_GEMV_F32(q4_1, FormatQ4_1)
BELAY_GEMV_F32(q5_0, FormatQ5_0)
BELAY_GEMV_F32(q5_1, FormatQ5_1)
BELAY_GEMV_F32(q4_k, FormatQ4_K)
BELAY_GEMV_F32(q5_k, FormatQ5_K)
BELAY_GEMV_F32(q6_k, FormatQ6_K)
