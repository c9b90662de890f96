// Inputs and weights worth testing: ordinary ones, and those at which kernels break.
#pragma once

#include "core/base/dtype.hpp"
#include "tests/kernels/op_case.hpp"
#include "tests/kernels/random.hpp"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace belay::kernel_tests {

enum class Fill {
  kNormal,    // a Gauss bell of width 1
  kTiny,      // around 1e-30: products are denormal
  kHuge,      // around 1e18: squares overflow a float when there are some
  kDenormal,  // below 2^-126
  kMixed,     // exponents from 2^-20 to 2^20 side by side, and exact zeros
  kZero,
  kNan,       // normal, with NaN in the first token only
  kInfinity,  // normal, with an infinity in the first token only
  kEqual,     // one magnitude, and one sign for each token, so that sums are as large as they get
};
inline constexpr Fill kFiniteFills[] = {Fill::kNormal,   Fill::kTiny,  Fill::kHuge,
                                        Fill::kDenormal, Fill::kMixed, Fill::kZero};
[[nodiscard]] std::string_view to_string(Fill fill);

// `row` elements belong to a token; kNan and kInfinity touch only the first row.
[[nodiscard]] std::vector<float> make_floats(Random& random, Fill fill, std::size_t count, std::size_t row);

enum class WeightFill {
  kNormal,
  kExtreme,       // scales 0, negative, denormal, up to 65504; quants all zero, all ones, alternating
  kMinus128,      // every quant byte 0x80: -128 in Q8_0
  kNanScale,      // one block of row 0 has a NaN
  kInfiniteScale  // one block of row 0 has an infinity
};
[[nodiscard]] std::string_view to_string(WeightFill fill);

// Rows of `k` elements as the file holds them; `k` is a multiple of the type's block.
[[nodiscard]] std::vector<std::uint8_t> make_weights(Random& random, DType dtype, WeightFill fill,
                                                     std::size_t rows, std::size_t k);

[[nodiscard]] std::vector<std::uint8_t> to_bytes(std::span<const float> values);
[[nodiscard]] std::vector<std::uint8_t> to_bytes(std::span<const std::int32_t> values);
[[nodiscard]] std::vector<double> to_doubles(std::span<const float> values);
[[nodiscard]] bool all_finite(std::span<const double> values);

[[nodiscard]] Operand float_operand(std::span<const float> values, std::vector<std::int64_t> shape,
                                    int token_axis);
[[nodiscard]] Operand float_output(std::vector<std::int64_t> shape, int token_axis);

}  // namespace belay::kernel_tests
