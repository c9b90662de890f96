// Parameters of norm.cu. Plain C types, read by NVRTC, the emulator and the plugin's host code alike.
#pragma once

// For each row: v = x, or x + add; y = v / sqrt(mean(v^2) + epsilon) * weight. One launch is the residual's
// addition, the norm and the quantisation of what the next linear reads.
//   belay_rms_norm        a row a block; grid {rows}
//   belay_rms_norm_short  a row a warp, for d up to BELAY_RMS_NORM_SHORT; grid {rows / 8, rounded up}
enum { BELAY_RMS_NORM_SHORT = 1024 };
struct RmsNormParams {
  const float* x;       // [rows, d]
  const float* add;     // [rows, d], or null
  float* sum;           // [rows, d]: x + add, where `add` is given; may be x or add
  const float* weight;  // [d]
  float* y;             // [rows, d], or null where only the quantised form is wanted
  // y once more, quantised as linear_params.h says; low is null where it is not wanted. d is a multiple of 32
  // then.
  signed char* low;
  signed char* high;
  float* scales;
  int rows;
  int d;
  float epsilon;
  int reserved;
};

// v = x, or x + add; y = (v - mean) / sqrt(var + epsilon) * weight + bias. A row a block; grid {rows}.
struct LayerNormParams {
  const float* x;    // [rows, d]
  const float* add;  // [rows, d], or null
  float* sum;        // [rows, d]: x + add, where `add` is given; may be x or add
  const float* weight;
  const float* bias;
  float* y;
  int rows;
  int d;
  float epsilon;
  int reserved;
};
