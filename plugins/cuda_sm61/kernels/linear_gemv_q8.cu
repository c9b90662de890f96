// y = W x for few tokens, x quantised: reads the weights once, which is what decode waits for.
#include "plugins/cuda_sm61/kernels/linear_gemv_q8.h"

#define BELAY_GEMV_Q8(type, Format)                                                                  \
  BELAY_KERNEL_BOUNDS(belay_linear_gemv_q8x1_##type, LinearParams p, BELAY_LINEAR_GEMV_THREADS, 8) { \
    gemv_q8<Format, 1>(p);                                                                           \
  }                                                                                                  \
  BELAY_KERNEL_BOUNDS(belay_linear_gemv_q8x4_##type, LinearParams p, BELAY_LINEAR_GEMV_THREADS, 5) { \
    gemv_q8<Format, 4>(p);                                                                           \
  }                                                                                                  \
  BELAY_KERNEL_BOUNDS(belay_linear_gemv_q8x8_##type, LinearParams p, BELAY_LINEAR_GEMV_THREADS, 6) { \
    gemv_q8<Format, 8>(p);                                                                           \
  }

BELAY_GEMV_Q8(q8_0, FormatQ8_0)
BELAY_GEMV_Q8(q4_0, FormatQ4_0)
BELAY_GEMV_Q8(q4_1, FormatQ4_1)
BELAY_GEMV_Q8(q5_0, FormatQ5_0)
BELAY_GEMV_Q8(q5_1, FormatQ5_1)
BELAY_GEMV_Q8(q4_k, FormatQ4_K)
BELAY_GEMV_Q8(q5_k, FormatQ5_K)
BELAY_GEMV_Q8(q6_k, FormatQ6_K)
