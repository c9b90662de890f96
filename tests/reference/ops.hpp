// Every operator of sdk/include/belay/op.h as plain loops over doubles, written from the formulas and never
// optimised: what kernels are compared with. Arrays are dense, slowest dimension first, with the shapes that
// op.h gives. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace belay::reference {

using Values = std::vector<double>;
using View = std::span<const double>;

[[nodiscard]] Values absolute(View values);

// table [vocab, width], ids [M] -> [M, width]; a row of zeros for -1
[[nodiscard]] Values embed(View table, std::size_t width, std::span<const std::int32_t> ids);

// x [M, K], weight [N, K], bias [N] or empty -> [M, N]
struct LinearSize {
  std::size_t m = 0;
  std::size_t n = 0;
  std::size_t k = 0;
};
[[nodiscard]] Values linear(View x, View weight, View bias, const LinearSize& size);

// Activations as BELAY_NUMERICS_ACT_Q8 may see them: blocks of 32 along K, scale = max|x| / 127, q = round(x
// / scale). `doubt` is how far a value may lie from another correct implementation's: one scale where x /
// scale is so near to a tie that float arithmetic decides it, else 0. A block with a NaN or an infinity
// becomes NaN.
struct QuantisedActivations {
  Values values;
  Values doubt;
};
[[nodiscard]] QuantisedActivations quantise_activations(View x, std::size_t k);

// How far each activation may be from itself under BELAY_NUMERICS_ACT_Q16: max|x| / 2^15 of its block of 32,
// or all of it in a block that is next to denormal, as with 8 bits.
[[nodiscard]] Values q16_doubt(View x, std::size_t k);

// x [..., D], weight [D] -> as x
[[nodiscard]] Values rms_norm(View x, View weight, double epsilon);
[[nodiscard]] Values layer_norm(View x, View weight, View bias, double epsilon);

struct Rope {
  bool adjacent = false;  // pairs (2i, 2i+1), else (i, i + rotary_dim/2)
  double theta = 10000.0;
  double position_scale = 1.0;
  std::size_t rotary_dim = 0;
  bool interleaved = false;
  std::array<std::uint32_t, 4> sections{};
};

// The axis that gives pair i its position. Interleaved: h for i%3==1 below 3*sections[1], w for i%3==2 below
// 3*sections[2], else t. Otherwise the sections follow each other. All zero: axis 0.
[[nodiscard]] std::size_t rope_axis(const Rope& rope, std::size_t pair);

// x [M, heads, D], positions [axes, M], freq_factors [rotary_dim/2] or empty -> as x
[[nodiscard]] Values rope(const Rope& rope, View x, std::size_t heads, std::size_t d,
                          std::span<const std::int32_t> positions, std::size_t tokens, View freq_factors);

// Index of (kv_head, position, element 0) in a cache [kv_heads, blocks, 64, D].
[[nodiscard]] std::size_t cache_index(std::size_t kv_head, std::size_t position, std::size_t blocks,
                                      std::size_t d);

// Writes x [M, kv_heads, D] into the cache at positions position..position+M-1.
void kv_write(View x, std::size_t kv_heads, std::size_t d, std::size_t position, Values& cache);

struct Attention {
  bool causal = true;
  double scale = 1.0;
  std::size_t heads = 1;
  std::size_t kv_heads = 1;
  std::size_t d = 1;
  std::size_t position = 0;  // of the first query
};

// q [M, heads, D], caches [kv_heads, blocks, 64, D] -> [M, heads, D]. Without a mask every query sees the
// keys 0..position+M-1. `score_magnitude` is the largest scale * sum|q||k| of a row, for error bounds.
struct AttentionResult {
  Values output;
  Values score_magnitude;  // [M, heads]
};
[[nodiscard]] AttentionResult attention(const Attention& shape, View q, View k_cache, View v_cache);

[[nodiscard]] double silu(double x);
[[nodiscard]] double gelu_erf(double x);
[[nodiscard]] double gelu_tanh(double x);
[[nodiscard]] Values silu_mul(View gate, View up);
[[nodiscard]] Values add(View a, View b);

}  // namespace belay::reference
