// Float values to the bytes of every weight type, in the plainest way: for tests that need weights, not for
// products.
#pragma once

#include "core/base/dtype.hpp"

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace belay::test {

// IEEE half precision, rounded to nearest even.
[[nodiscard]] std::uint16_t half_bits(float value);

// Whole blocks of F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0 or Q5_1, each value rounded to the nearest its block
// can hold. Empty for another type, or when the values are not whole blocks.
[[nodiscard]] std::vector<std::byte> encode(DType dtype, std::span<const float> values);

// `n_blocks` random valid blocks of Q4_K, Q5_K or Q6_K whose values have about zero mean and the given
// spread.
[[nodiscard]] std::vector<std::byte> random_k_blocks(DType dtype, std::size_t n_blocks, double spread,
                                                     std::mt19937_64& random);

}  // namespace belay::test
