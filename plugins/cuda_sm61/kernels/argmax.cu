#include "plugins/cuda_sm61/kernels/argmax_params.h"
#include "plugins/cuda_sm61/kernels/rows.h"

namespace {

struct Best {
  float value;
  int index;
};

// Of two, the larger; of equals, the earlier.
BELAY_DEVICE Best better(const Best& a, const Best& b) {
  const bool second = b.value > a.value || (b.value == a.value && b.index < a.index);
  return second ? b : a;
}

BELAY_DEVICE Best warp_best(Best best) {
  BELAY_UNROLL
  for (int offset = 16; offset > 0; offset /= 2) {
    const Best other = {__shfl_xor_sync(BELAY_FULL_WARP, best.value, offset),
                        __shfl_xor_sync(BELAY_FULL_WARP, best.index, offset)};
    best = better(best, other);
  }
  return best;
}

// For thread 0.
BELAY_DEVICE Best block_best(Best best) {
  BELAY_SHARED(float, values, 8);
  BELAY_SHARED(int, indices, 8);
  best = warp_best(best);
  __syncthreads();  // until all have read what the last call wrote
  if (threadIdx.x % 32 == 0) {
    values[threadIdx.x / 32] = best.value;
    indices[threadIdx.x / 32] = best.index;
  }
  __syncthreads();
  for (int i = 0; i < 8; ++i) best = better(best, {values[i], indices[i]});
  return best;
}

// Worse than anything that a row has.
BELAY_DEVICE Best nothing() { return {minus_infinity(), 0x7fffffff}; }

BELAY_DEVICE void put(const ArgmaxParams& p, int row, const Best& best) {
  p.indices[row] = best.index < p.n ? best.index : 0;
}

}  // namespace

BELAY_KERNEL_BOUNDS(belay_argmax, ArgmaxParams p, 256, 8) {
  BELAY_SHARED(int, last, 1);
  const int thread = static_cast<int>(threadIdx.x);
  const int row = static_cast<int>(blockIdx.y);
  const int parts = static_cast<int>(gridDim.x);
  const float* const x = p.x + static_cast<long long>(row) * p.n;
  Best best = nothing();
  for (int i = static_cast<int>(blockIdx.x) * 256 + thread; i < p.n; i += parts * 256)
    best = better(best, {x[i], i});
  best = block_best(best);
  if (parts == 1) {
    if (thread == 0) put(p, row, best);
    return;
  }
  if (thread == 0) {
    p.part_values[row * parts + static_cast<int>(blockIdx.x)] = best.value;
    p.part_indices[row * parts + static_cast<int>(blockIdx.x)] = best.index;
    __threadfence();
    last[0] = atomicAdd(p.counters + row, 1u) == gridDim.x - 1 ? 1 : 0;
    if (last[0] != 0) p.counters[row] = 0;
  }
  __syncthreads();
  if (last[0] == 0) return;
  __threadfence();
  best = nothing();
  for (int i = thread; i < parts; i += 256) {
    best = better(
        best, {load_fresh(p.part_values + row * parts + i), load_fresh(p.part_indices + row * parts + i)});
  }
  best = block_best(best);
  if (thread == 0) put(p, row, best);
}
