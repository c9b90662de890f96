// Parameters of pointwise.cu. Plain C types, read by NVRTC, the emulator and the plugin's host code alike.
// The grid may have any size; a thread takes 4 elements a step. Outputs may be inputs.
#pragma once

// y[i] = a[i] + b[i]
struct AddParams {
  const float* a;
  const float* b;
  float* y;
  long long count;
};

// y[i] = silu(gate[i]) * up[i], as floats, quantised as linear_params.h says, or both.
struct SiluMulParams {
  const float* gate;
  const float* up;
  float* y;  // null where only the quantised form is wanted
  // low is null where the quantised form is not wanted; else rows are multiples of 32.
  signed char* low;
  signed char* high;
  float* scales;
  long long count;
};

// y[i] = gelu(x[i]), as floats, quantised, or both, as with SiluMulParams.
struct GeluParams {
  const float* x;
  float* y;
  signed char* low;
  signed char* high;
  float* scales;
  long long count;
  int tanh_form;  // 0: by erf
  int reserved;
};
