// The kernels of linear, by the type of the weights.
#pragma once

#include "plugins/cuda_sm61/device/kernels.hpp"

#include <cstdint>

namespace belay::cuda {

// For up to 1, 4 and 8 tokens, and for more; `few` is null where nothing is faster for up to
// BELAY_LINEAR_GEMM_SMALL_TOKENS, and gives the bits of gemm.
struct LinearWay {
  const KernelOf<LinearParams>* gemv1;
  const KernelOf<LinearParams>* gemv4;
  const KernelOf<LinearParams>* gemv8;
  const KernelOf<LinearParams>* few;
  const KernelOf<LinearParams>* gemm;
  // For one token, with what follows; null for activations as they are.
  const KernelOf<LinearSwigluParams>* swiglu;
  const KernelOf<LinearNormParams>* norm;
};

struct LinearKernels {
  std::int32_t dtype;
  LinearWay f32;        // on activations as they are
  const LinearWay* q8;  // on quantised ones; null where the weights are not quantised
};

// Null for a type that is none of a weight.
[[nodiscard]] const LinearKernels* linear_kernels(std::int32_t dtype);

}  // namespace belay::cuda
