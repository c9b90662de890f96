// Every kernel: X(name, Params, threads a block). Define X, include this file; it undefines X. No include
// guard: it is read once for each use. Lines are only appended, one family after the other.
#include "plugins/cuda_sm61/kernels/pointwise_params.h"

// pointwise.cu
X(belay_add, AddParams, 256)

#undef X
