// Makers of cases, one for each operator. A case is a function of its arguments and its seed.
#pragma once

#include "tests/kernels/op_case.hpp"
#include "tests/kernels/values.hpp"

#include <array>
#include <cstdint>

namespace belay::kernel_tests {

struct LinearShape {
  std::size_t tokens = 1;
  std::size_t k = 32;
  std::size_t n = 1;
  bool bias = false;
};
[[nodiscard]] OpCase linear_case(DType weight, std::int32_t numerics, const LinearShape& shape, Fill fill,
                                 WeightFill weights, std::uint64_t seed);

[[nodiscard]] OpCase embed_case(DType table, std::size_t tokens, std::size_t width, std::size_t vocab,
                                WeightFill fill, std::uint64_t seed);

struct NormShape {
  std::size_t tokens = 1;
  std::size_t heads = 0;  // 0: x is [M, D], else [M, heads, D]
  std::size_t d = 1;
};
[[nodiscard]] OpCase rms_norm_case(const NormShape& shape, float epsilon, Fill fill, std::uint64_t seed);
[[nodiscard]] OpCase layer_norm_case(const NormShape& shape, float epsilon, Fill fill, std::uint64_t seed);

struct RopeShape {
  std::size_t tokens = 1;
  std::size_t heads = 1;
  std::size_t d = 64;
  std::size_t rotary_dim = 64;
  std::int32_t style = BELAY_ROPE_ADJACENT;
  float theta = 10000.0F;
  float position_scale = 1.0F;
  bool freq_factors = false;
  bool interleaved = false;
  std::array<std::uint32_t, 4> sections{};
  std::int32_t max_position = 4096;
};
[[nodiscard]] OpCase rope_case(const RopeShape& shape, Fill fill, std::uint64_t seed);

struct CacheShape {
  DType dtype = DType::kF32;
  std::size_t tokens = 1;
  std::size_t heads = 1;
  std::size_t kv_heads = 1;
  std::size_t d = 64;
  std::size_t position = 0;
  bool causal = true;
};
// With heads of whole blocks of the type: of a multiple of 32 elements for q8_0.
[[nodiscard]] CacheShape whole_blocks(CacheShape shape);
[[nodiscard]] OpCase kv_write_case(const CacheShape& shape, Fill fill, std::uint64_t seed);
// Rows of the cache that no query sees hold NaN. kNan and kInfinity strike the first query; `bad_key` a key
// instead.
[[nodiscard]] OpCase attention_case(const CacheShape& shape, Fill fill, bool bad_key, std::uint64_t seed);

[[nodiscard]] OpCase silu_mul_case(std::size_t tokens, std::size_t n, Fill fill, std::uint64_t seed);
[[nodiscard]] OpCase gelu_case(std::int32_t form, std::size_t tokens, std::size_t n, Fill fill,
                               std::uint64_t seed);
[[nodiscard]] OpCase add_case(std::size_t tokens, std::size_t n, Fill fill, std::uint64_t seed);

}  // namespace belay::kernel_tests
