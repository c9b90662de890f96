// The ways to compute a linear layer, behind one description of the weight. Pure functions, any thread.
#pragma once

#include "plugins/cpu_kernels/quant/unpack.hpp"

namespace belay::BELAY_ISA {

// A weight matrix [rows, cols], as it lies in the file or packed (quant/packed.hpp).
struct Weight {
  const uint8_t* data;
  int32_t dtype;
  int64_t rows;
  int64_t cols;
  uint64_t row_bytes;  // of the file, from one row to the next
};

// Computes out[t][n] = x[t] . weight[n] (+ bias[n]) for the rows [begin, end) of the weight and all tokens.
struct LinearTask {
  Weight weight;
  const float* bias;  // or nullptr
  int64_t tokens;
  float* out;  // [tokens, weight.rows]
};

// A vector of outputs of one token from weight row `row` on, which may reach past the last.
inline void store_outputs(const LinearTask& task, int64_t token, int64_t row, F32 sum) {
  const int64_t rows = task.weight.rows;
  if (row >= rows) return;
  if (task.bias != nullptr) sum = sum + load_upto(task.bias + row, rows - row);
  store_upto(sum, task.out + token * rows + row, rows - row);
}

// How weights meet activations that stay as they are: chosen once, in bind. Ranges of rows begin at multiples
// of kRowsF32; `panels` is kPanelFloatsF32 of the thread's own memory, or nullptr for so few tokens that none
// is needed.
struct FloatWay {
  // nullptr: one token goes the way of more.
  void (*one_token)(const LinearTask& task, const float* x, int64_t begin, int64_t end);
  void (*more_tokens)(const LinearTask& task, const float* x, int64_t begin, int64_t end, float* panels);
  int64_t tokens_without_panels;
};
inline constexpr int64_t kRowsF32 = 16;
inline constexpr uint64_t kPanelFloatsF32 = uint64_t{96} * 512;
// k over which one vector accumulates; chunks are added in order. A multiple of every block.
inline constexpr int64_t kF32Chunk = 512;

// As the file has them. One token and a few add in the same order and give the same bits, so that tokens
// which are checked a few at a time are those that decode would give; from kPanelTokens on the order is
// another one, which differs by rounding and is the same for every number of tokens and threads. Types that
// are packed elsewhere become panels at each use: slow for one token, and the same bits as packed.
FloatWay floats_of_file(int32_t dtype);
// Packed panels of floats or half floats: the same bits for any number of tokens. Empty for other types.
FloatWay packed_floats(int32_t dtype);

// What floats_of_file() is made of. `unpack` is the weight type's.
using OneTokenF32 = decltype(FloatWay::one_token);
OneTokenF32 one_token_f32(int32_t dtype);  // nullptr for a dtype that is no weight type
void few_tokens_f32(const LinearTask& task, UnpackRows unpack, const float* x, int64_t begin, int64_t end);
void many_tokens_f32(const LinearTask& task, UnpackRows unpack, const float* x, int64_t begin, int64_t end,
                     float* panels);

// Activations in blocks of 32 signed bytes with one scale each, in a workspace. A block that holds a NaN or
// an infinity has scale NaN, so that what it touches is NaN. Tokens lie in tiles of ActivationFormat::tile,
// the last one of what is left, and take turns in them; a tile that begins with token t lies t rows behind
// the start.
struct QuantisedActivations {
  uint8_t* q;     // [cols / 4][token][4] in [-127, 127], or int16 as [cols / 4][even, odd][token][2]
  float* scale;   // [cols / 32][token]
  uint32_t* sum;  // [cols / group][token]: see Sums
};

// What the sum of q over a group is kept as, to make up for what the weights' integers stand for.
enum class Sums {
  kNone,
  kStart,  // -zero times the sum, where the sum of products starts: two int16, for k % 4 < 2 and for the rest
  kScaled,  // a float: scale times the sum, to be multiplied with a weight's offset
};

// What a way to compute wants of the activations.
struct ActivationFormat {
  Sums sums;
  int group;
  int zero;
  int bytes;  // of an integer, 1 or 2
  int64_t tile;
};

// How a quantised type is computed: chosen once, in bind. `compute` is nullptr for a type that is not
// quantised.
struct QuantisedWay {
  ActivationFormat activations;
  int64_t most_tokens;  // the most that the way is meant for
  int64_t unit;         // ranges of rows begin at multiples of this
  void (*compute)(const LinearTask& task, const QuantisedActivations& x, int64_t begin, int64_t end);
};
QuantisedWay few_tokens_q8(int32_t dtype);
QuantisedWay few_tokens_q8_packed(int32_t dtype);
QuantisedWay many_tokens_q8(int32_t dtype, bool is_packed);

// How a weight is packed: groups of rows of so many bytes each. Floats become panels [k][kTileWidth rows],
// blocks what quant/packed.hpp says when they meet activations in 8 bits. `groups` is 0 for a weight that is
// computed as the file has it.
struct Packing {
  int64_t groups;
  uint64_t group_bytes;
  void (*pack)(const Weight& weight, int64_t begin, int64_t end, uint8_t* to);  // groups [begin, end)
};
Packing packing_of(const Weight& weight, int32_t numerics);

// Quantises x[0..cols), which is token `token` of `tokens`.
void quantise_token(const float* x, int64_t cols, int64_t token, int64_t tokens,
                    const ActivationFormat& format, const QuantisedActivations& to);

// The same with 16 bits, as two tokens of 8 whose products add up: `token` has the coarse part, the one
// behind it what is left.
void quantise_token_twice(const float* x, int64_t cols, int64_t token, int64_t tokens,
                          const ActivationFormat& format, const QuantisedActivations& to);

}  // namespace belay::BELAY_ISA
