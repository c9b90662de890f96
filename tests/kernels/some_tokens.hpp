// A case with some of its tokens only, for tests that a token's bits do not depend on the tokens beside it.
#pragma once

#include "tests/kernels/bound_kernel.hpp"
#include "tests/kernels/op_case.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace belay::kernel_tests {

// The tokens [first, first + count) of the first input and output, at their own positions. Nothing is
// expected of it.
[[nodiscard]] OpCase some_tokens(const OpCase& op_case, std::size_t first, std::size_t count);

// The bytes of those tokens in an operand of `tokens` tokens.
[[nodiscard]] std::vector<std::uint8_t> tokens_of(const std::vector<std::uint8_t>& bytes, std::size_t tokens,
                                                  std::size_t first, std::size_t count);

// Whether the plugin says that a token's bits do not depend on the tokens beside it.
[[nodiscard]] bool promises_same_bits(const LoadedPlugin& plugin, const OpCase& op_case);

// The first output of a run on one thread. Fails the test when the plugin does.
[[nodiscard]] std::vector<std::uint8_t> output_of(const LoadedPlugin& plugin, const OpCase& op_case,
                                                  Layout layout = Layout::kWanted);

}  // namespace belay::kernel_tests
