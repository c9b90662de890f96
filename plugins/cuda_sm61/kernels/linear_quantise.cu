#include "plugins/cuda_sm61/kernels/device.h"
#include "plugins/cuda_sm61/kernels/linear_params.h"
#include "plugins/cuda_sm61/kernels/quantise.h"

// 8 lanes a block of 32, 4 values a lane: 16 bytes read, 4 written.
BELAY_KERNEL_BOUNDS(belay_linear_quantise, LinearQuantiseParams p, 256, 8) {
  const long long block = static_cast<long long>(blockIdx.x) * BELAY_LINEAR_QUANTISE_BLOCKS + threadIdx.x / 8;
  const int quad = static_cast<int>(threadIdx.x) % 8;
  const bool inside = block < p.blocks;
  const float4 x = inside ? load_constant(reinterpret_cast<const float4*>(p.x) + 8 * block + quad)
                          : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  store_quantised({p.low, p.high, p.scales}, block, quad, x, inside);
}
