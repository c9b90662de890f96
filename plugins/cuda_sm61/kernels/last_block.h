// Which block of a launch ends last, so that it goes on with what all of them wrote. Device code.
#pragma once

#include "plugins/cuda_sm61/kernels/device.h"

// Whether this block is the last of `blocks` to come here; `counter` is 0 before the launch and after it. All
// threads of a block call. What the others wrote before is read with load_fresh().
BELAY_DEVICE bool is_last_block(unsigned* counter, unsigned blocks) {
  BELAY_SHARED(int, last, 1);
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last[0] = atomicAdd(counter, 1u) == blocks - 1 ? 1 : 0;
    if (last[0] != 0) *counter = 0;
  }
  __syncthreads();
  __threadfence();
  return last[0] != 0;
}
