// y = W x for few tokens, x quantised: reads the weights once, which is what decode waits for. A warp has two
// rows, a lane takes every 32nd block of them, so that a load of the warp is 512 bytes in a row.
#include "plugins/cuda_sm61/kernels/device.h"
#include "plugins/cuda_sm61/kernels/linear_outputs.h"
#include "plugins/cuda_sm61/kernels/linear_params.h"
#include "plugins/cuda_sm61/kernels/linear_q8.h"

namespace {

template <class Format>
struct Block {
  Bytes32 bytes;
  ScaleValues scales;
};

template <class Format>
BELAY_DEVICE Block<Format> block_of(const WeightPlanes& planes, int b) {
  return {unpacked<typename Format::Quants>(Format::Quants::fetch(planes, b)), Format::scales(planes, b)};
}

template <class Format, int kColumns>
BELAY_DEVICE void gemv(const LinearParams& p) {
  const RowPair pair = row_pair(p);
  if (!pair.any) return;  // the whole warp
  const WeightPlanes planes = planes_of(p, pair.matrix);
  const WeightPlanes second_planes = planes_of(p, pair.second_matrix);
  const int blocks = p.k / 32;
  const int first = pair.row * blocks;
  const int second = pair.second_row * blocks;
  float sums[2 * kColumns] = {};
  BELAY_NO_UNROLL
  for (int b = static_cast<int>(threadIdx.x) % 32; b < blocks; b += 32) {
    const Block<Format> upper = block_of<Format>(planes, first + b);
    const Block<Format> lower = block_of<Format>(second_planes, second + b);
    BELAY_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      const int at = min(c, p.tokens - 1) * blocks + b;
      const Bytes32 q = {plane_at<int4>(p.low, at), plane_at<int4>(p.high, at)};
      const float2 x = plane_at<float2>(p.scales, at);
      sums[c] = add_block<typename Format::Scales>(sums[c], upper.bytes, upper.scales, q, x);
      sums[kColumns + c] =
          add_block<typename Format::Scales>(sums[kColumns + c], lower.bytes, lower.scales, q, x);
    }
  }
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
