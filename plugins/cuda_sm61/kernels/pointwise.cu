#include "plugins/cuda_sm61/kernels/device.h"
#include "plugins/cuda_sm61/kernels/pointwise_params.h"

BELAY_KERNEL_BOUNDS(belay_add, AddParams p, 256, 4) {
  const long long stride = static_cast<long long>(gridDim.x) * blockDim.x;
  const long long first = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  const long long quads = p.count / 4;
  for (long long i = first; i < quads; i += stride) {
    const float4 a = reinterpret_cast<const float4*>(p.a)[i];
    const float4 b = reinterpret_cast<const float4*>(p.b)[i];
    reinterpret_cast<float4*>(p.y)[i] = make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
  }
  const long long tail = quads * 4 + first;
  if (tail < p.count) p.y[tail] = p.a[tail] + p.b[tail];
}
