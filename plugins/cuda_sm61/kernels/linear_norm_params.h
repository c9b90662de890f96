// Parameters of linear_norm_q8.cu. Plain C types, read by NVRTC, the emulator and the plugin's host code
// alike.
#pragma once

#include "plugins/cuda_sm61/kernels/linear_params.h"
#include "plugins/cuda_sm61/kernels/norm_params.h"

// One token: y = W x + bias + residual as belay_linear_gemv_q8x1 has it, for linear.matrix[0] alone, whose
// rows are a multiple of 32; and in the same launch rms_norm(y) * weight, quantised, as belay_rms_norm or for
// short rows belay_rms_norm_short has it, bit by bit. The names are belay_linear_norm_q8_<type>.
struct LinearNormParams {
  LinearParams linear;
  const float* weight;  // [rows]
  signed char* low;     // the normed y, as LinearQuantiseParams has it
  signed char* high;
  float* scales;
  unsigned* counter;  // of blocks: 0 before the launch and after it
  float epsilon;
  int reserved;
};
