// y = W x for few tokens, x quantised: reads the weights once, which is what decode waits for. A warp has two
// rows.
#include "plugins/cuda_sm61/kernels/device.h"
#include "plugins/cuda_sm61/kernels/linear_outputs.h"
#include "plugins/cuda_sm61/kernels/linear_params.h"
#include "plugins/cuda_sm61/kernels/linear_q8.h"

namespace {

template <class Format, int kColumns>
BELAY_DEVICE void gemv(const LinearParams& p) {
  const RowPair pair = row_pair(p);
  if (!pair.any) return;  // the whole warp
  const int blocks = p.k / 32;
  float sums[2 * kColumns] = {};
  multiply_rows<Format, kColumns>({planes_of(p, pair.matrix), pair.row * blocks},
                                  {planes_of(p, pair.second_matrix), pair.second_row * blocks},
                                  {p.low, p.high, p.scales, p.tokens, blocks}, sums);
  store_pair<kColumns>(p, pair, sums);
}

}  // namespace

#define BELAY_GEMV_Q8(type, Format)                                                                  \
  BELAY_KERNEL_BOUNDS(belay_linear_gemv_q8x1_##type, LinearParams p, BELAY_LINEAR_GEMV_THREADS, 8) { \
    gemv<Format, 1>(p);                                                                              \
  }                                                                                                  \
  BELAY_KERNEL_BOUNDS(belay_linear_gemv_q8x4_##type, LinearParams p, BELAY_LINEAR_GEMV_THREADS, 5) { \
    gemv<Format, 4>(p);                                                                              \
  }                                                                                                  \
  BELAY_KERNEL_BOUNDS(belay_linear_gemv_q8x8_##type, LinearParams p, BELAY_LINEAR_GEMV_THREADS, 6) { \
    gemv<Format, 8>(p);                                                                              \
  }

BELAY_GEMV_Q8(q8_0, FormatQ8_0)
BELAY_GEMV_Q8(q4_0, FormatQ4_0)
BELAY_GEMV_Q8(q4_1, FormatQ4_1)
BELAY_GEMV_Q8(q5_0, FormatQ5_0)
BELAY_GEMV_Q8(q5_1, FormatQ5_1)
BELAY_GEMV_Q8(q4_k, FormatQ4_K)
BELAY_GEMV_Q8(q5_k, FormatQ5_K)
BELAY_GEMV_Q8(q6_k, FormatQ6_K)
