// The two ways to compute a linear layer, behind one description of the weight. Pure functions, any thread.
#pragma once

#include "plugins/cpu_kernels/quant/unpack.hpp"

namespace belay::BELAY_ISA {

// A weight matrix [rows, cols] as it lies in the file.
struct Weight {
  const uint8_t* data;
  int32_t dtype;
  int64_t rows;
  int64_t cols;
  uint64_t row_bytes;  // from one row to the next
};

// Computes out[t][n] = x[t] . weight[n] (+ bias[n]) for the rows [begin, end) of the weight and all tokens.
struct LinearTask {
  Weight weight;
  const float* bias;  // or nullptr
  int64_t tokens;
  float* out;  // [tokens, weight.rows]
};

// Activations as they are. One token and a few add in the same order and give the same bits, so that tokens
// which are checked a few at a time are those that decode would give. `unpack` is the weight type's.
using OneTokenF32 = void (*)(const LinearTask& task, const float* x, int64_t begin, int64_t end);
OneTokenF32 one_token_f32(int32_t dtype);  // nullptr for a dtype that is no weight type
void few_tokens_f32(const LinearTask& task, UnpackRows unpack, const float* x, int64_t begin, int64_t end);
inline constexpr int64_t kRowsF32 = 8;  // ranges of rows begin at multiples of this

// Many tokens, from kPanelTokens on: another order, which differs by rounding and is the same for every
// number of tokens and threads. `panels` is the thread's own memory.
void many_tokens_f32(const LinearTask& task, UnpackRows unpack, const float* x, int64_t begin, int64_t end,
                     float* panels);
inline constexpr int64_t kPanelRowsF32 = 16;  // ranges of rows begin at multiples of this
inline constexpr uint64_t kPanelFloatsF32 = uint64_t{96} * 512;

// k over which one vector accumulates; a multiple of every block.
inline constexpr int64_t kF32Chunk = 512;

// Activations in blocks of 32 signed bytes with one scale each, in a workspace. A block that holds a NaN or
// an infinity has scale NaN, so that what it touches is NaN.
struct QuantisedActivations {
  const int8_t* q;     // [tokens, cols], in [-127, 127]
  const float* scale;  // [tokens, cols / 32]
  const float* sum;    // [tokens, cols / group]: scale times the sum of q, which multiplies a weight's offset
};

// How a quantised type is computed: chosen once, in bind.
struct QuantisedLinear {
  int group;  // of the activations' sums
  // Rows in units of `one_unit` for one token and of `many_unit` for more.
  int64_t one_unit;
  int64_t many_unit;
  void (*one)(const LinearTask& task, const QuantisedActivations& x, int64_t begin, int64_t end);
  void (*many)(const LinearTask& task, const QuantisedActivations& x, int64_t begin, int64_t end);
};

// nullptr for a type that is not quantised.
const QuantisedLinear* quantised_linear(int32_t dtype);

// Quantises x[0..cols) for one token.
void quantise_row(const float* x, int64_t cols, int group, int8_t* q, float* scale, float* sum);

}  // namespace belay::BELAY_ISA
