// Parameters of the linear_*.cu. Plain C types, read by NVRTC, the emulator and the plugin's host code alike.
#pragma once

#include "plugins/cuda_sm61/kernels/weight_planes.h"

// x [tokens, K] f32 -> blocks of 32 along K as signed bytes in [-127, 127]. K is a multiple of 32, x aligned
// to 16 bytes. Block b = token * (K / 32) + k / 32 has
//   low, high   16 bytes each: its values 0..15 and 16..31
//   scales      two floats: the scale max|x| / 127, and scale * (sum of the bytes), which offsets of weights
//   multiply
// A block with a NaN or an infinity has the scale NaN.
struct LinearQuantiseParams {
  const float* x;
  signed char* low;
  signed char* high;
  float* scales;
  long long blocks;  // tokens * (K / 32)
};
// Blocks of 32 that one block of threads of belay_linear_quantise makes; its grid is blocks / this, rounded
// up.
enum { BELAY_LINEAR_QUANTISE_BLOCKS = 32 };

// One weight and where its product goes.
struct LinearMatrix {
  WeightPlanes weight;    // [rows, K]
  const float* bias;      // [rows], or null
  const float* residual;  // [tokens, rows], added; or null. May be y.
  float* y;               // [tokens, rows]
  int rows;               // 0: there is no such matrix
  int reserved;
};

// Up to three weights of one type that share x, for one launch. The kernels' names:
//   belay_linear_gemv_q8x<c>_<type>    tokens <= c, quantised activations     c: 1, 4, 8
//   belay_linear_gemv_f32x<c>_<type>   tokens <= c, f32 activations           c: 1, 4, 8
//   belay_linear_gemm_q8_<type>        any tokens, quantised activations
//   belay_linear_gemm_q8s_<type>       the same with smaller tiles, which pay for up to some 32 tokens
//   belay_linear_gemm_f32_<type>       any tokens, f32 activations
// K is at least 1. Every output is summed in one order that depends on its being a gemv or a gemm alone: not
// on the tokens, c, the tile or the other matrices.
struct LinearParams {
  LinearMatrix matrix[3];
  const float* x;          // f32 [tokens, K], aligned to 16 bytes (for the *_f32)
  const signed char* low;  // as LinearQuantiseParams has them (for the *_q8)
  const signed char* high;
  const float* scales;
  int tokens;
  int k;
  // gemv only: matrix[0] is the gate, matrix[1], of as many rows, is up; matrix[0].y becomes silu(gate) * up.
  int silu;
  int reserved;
};

// One token's silu(gate x) * (up x), quantised for what follows: the names are belay_linear_swiglu_q8_<type>.
// The outputs are those of belay_linear_gemv_q8x1 with silu and belay_linear_quantise, bit by bit, in one
// launch.
struct LinearSwigluParams {
  WeightPlanes gate;  // [rows, K]
  WeightPlanes up;
  const signed char* low;  // x, as LinearQuantiseParams has it
  const signed char* high;
  const float* scales;
  signed char* y_low;  // of the rows
  signed char* y_high;
  float* y_scales;
  int rows;  // a multiple of 32: a block of threads for each 32
  int k;
};

// Rows of weights of one block of threads. A gemv's grid is {blocks}, a gemm's {tokens / tile, blocks}, where
// blocks is the sum of rows / this over the matrices, each rounded up.
enum {
  BELAY_LINEAR_GEMV_ROWS = 8,
  BELAY_LINEAR_GEMV_SILU_ROWS = 4,  // of the gate, with silu
  BELAY_LINEAR_GEMM_ROWS = 128,
  BELAY_LINEAR_GEMM_TOKENS = 64,        // the tile
  BELAY_LINEAR_GEMM_SMALL_TOKENS = 32,  // of gemm_q8s
  BELAY_LINEAR_GEMV_THREADS = 128,
  BELAY_LINEAR_SWIGLU_THREADS = 512,
  BELAY_LINEAR_GEMM_Q8_THREADS = 256,
  BELAY_LINEAR_GEMM_F32_THREADS = 128
};
