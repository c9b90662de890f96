// Parameters of pointwise.cu. Plain C types, read by NVRTC, the emulator and the plugin's host code alike.
#pragma once

// y[i] = a[i] + b[i]. A grid of any size; 4 elements a thread and step. y may be a or b.
struct AddParams {
  const float* a;
  const float* b;
  float* y;
  long long count;
};
