#include "plugins/cuda_sm61/ops/linear_kernels.hpp"

#include <belay/tensor.h>

namespace belay::cuda {
namespace {

#define BELAY_LINEAR_WAY(numerics, type, few, swiglu, norm)                                               \
  {                                                                                                       \
    &kernels::belay_linear_gemv_##numerics##x1_##type, &kernels::belay_linear_gemv_##numerics##x4_##type, \
        &kernels::belay_linear_gemv_##numerics##x8_##type, few,                                           \
        &kernels::belay_linear_gemm_##numerics##_##type, swiglu, norm                                     \
  }
#define BELAY_LINEAR_F32(type) BELAY_LINEAR_WAY(f32, type, nullptr, nullptr, nullptr)
#define BELAY_LINEAR_Q8(type)                                            \
  constexpr LinearWay kQ8_##type =                                       \
      BELAY_LINEAR_WAY(q8, type, &kernels::belay_linear_gemm_q8s_##type, \
                       &kernels::belay_linear_swiglu_q8_##type, &kernels::belay_linear_norm_q8_##type)
BELAY_LINEAR_Q8(q8_0);
BELAY_LINEAR_Q8(q4_0);
BELAY_LINEAR_Q8(q4_1);
BELAY_LINEAR_Q8(q5_0);
BELAY_LINEAR_Q8(q5_1);
BELAY_LINEAR_Q8(q4_k);
BELAY_LINEAR_Q8(q5_k);
BELAY_LINEAR_Q8(q6_k);

constexpr LinearKernels kLinearKernels[] = {
    {BELAY_DTYPE_F32, BELAY_LINEAR_F32(f32), nullptr},
    {BELAY_DTYPE_F16, BELAY_LINEAR_F32(f16), nullptr},
    {BELAY_DTYPE_BF16, BELAY_LINEAR_F32(bf16), nullptr},
    {BELAY_DTYPE_Q8_0, BELAY_LINEAR_F32(q8_0), &kQ8_q8_0},
    {BELAY_DTYPE_Q4_0, BELAY_LINEAR_F32(q4_0), &kQ8_q4_0},
    {BELAY_DTYPE_Q4_1, BELAY_LINEAR_F32(q4_1), &kQ8_q4_1},
    {BELAY_DTYPE_Q5_0, BELAY_LINEAR_F32(q5_0), &kQ8_q5_0},
    {BELAY_DTYPE_Q5_1, BELAY_LINEAR_F32(q5_1), &kQ8_q5_1},
    {BELAY_DTYPE_Q4_K, BELAY_LINEAR_F32(q4_k), &kQ8_q4_k},
    {BELAY_DTYPE_Q5_K, BELAY_LINEAR_F32(q5_k), &kQ8_q5_k},
    {BELAY_DTYPE_Q6_K, BELAY_LINEAR_F32(q6_k), &kQ8_q6_k},
};
#undef BELAY_LINEAR_Q8
#undef BELAY_LINEAR_F32
#undef BELAY_LINEAR_WAY

}  // namespace

const LinearKernels* linear_kernels(std::int32_t dtype) {
  for (const LinearKernels& kernels : kLinearKernels) {
    if (kernels.dtype == dtype) return &kernels;
  }
  return nullptr;
}

}  // namespace belay::cuda
