// linear with 8-bit activations: what its blocks, its integer sums and its two ways could get wrong.
#include "tests/kernels/expect_pass.hpp"
#include "tests/kernels/some_tokens.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <vector>

namespace belay::kernel_tests {
namespace {

constexpr DType kQuantised[] = {DType::kQ8_0, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0,
                                DType::kQ5_1, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};

void check(DType dtype, const LinearShape& shape, Fill fill, WeightFill weights = WeightFill::kNormal) {
  expect_pass(linear_case(dtype, BELAY_NUMERICS_ACT_Q8, shape, fill, weights, next_seed()),
              "linear " + std::string(to_string(dtype)) + " act_q8 blocks");
}

// Tiles of 4 tokens in blocks of 128 or 256, panels of 8 or 16 rows, chunks of 512 along k.
TEST_CASE("linear with 8-bit activations: borders of the blocks for many tokens") {
  for (const DType dtype : kQuantised) {
    const std::size_t block = info(dtype).block_elems;
    for (const std::size_t tokens : {127, 128, 129, 132, 255, 256, 257, 259, 514})
      check(dtype, {.tokens = tokens, .k = block, .n = 17, .bias = tokens % 2 == 1}, Fill::kNormal);
    for (const std::size_t k : {480, 512, 544, 1024, 1056, 1536}) {
      const std::size_t whole = (k + block - 1) / block * block;
      for (const std::size_t tokens : {3, 6, 130})
        check(dtype, {.tokens = tokens, .k = whole, .n = 25, .bias = true}, Fill::kNormal);
    }
    check(dtype, {.tokens = 258, .k = 1024 + block, .n = 35, .bias = true}, Fill::kMixed);
  }
}

// Every integer at an end of its range, all products of one sign.
TEST_CASE("linear with 8-bit activations: sums as large as they get") {
  for (const DType dtype : kQuantised) {
    for (const std::size_t tokens : {1, 2, 3, 8}) {
      for (const WeightFill fill : {WeightFill::kNormal, WeightFill::kExtreme, WeightFill::kMinus128})
        check(dtype, {.tokens = tokens, .k = 1024, .n = 40}, Fill::kEqual, fill);
    }
  }
}

TEST_CASE("linear with 8-bit activations: values that are not finite touch their token or row alone") {
  for (const DType dtype : kQuantised) {
    for (const Fill fill : {Fill::kNan, Fill::kInfinity})
      check(dtype, {.tokens = 131, .k = 768, .n = 18}, fill);
    for (const WeightFill fill : {WeightFill::kNanScale, WeightFill::kInfiniteScale})
      check(dtype, {.tokens = 131, .k = 768, .n = 18}, Fill::kNormal, fill);
  }
}

void check_same_bits(const LoadedPlugin& plugin, const OpCase& many) {
  const std::vector<std::uint8_t> together = output_of(plugin, many);
  for (const std::size_t token : {std::size_t{0}, many.tokens / 2, many.tokens - 1}) {
    const std::string where = plugin.name() + ": token " + std::to_string(token) + " of " + many.label;
    INFO(where);
    CHECK(output_of(plugin, some_tokens(many, token, 1)) == tokens_of(together, many.tokens, token, 1));
  }
}

constexpr std::int32_t kQuantisedNumerics[] = {BELAY_NUMERICS_ACT_Q8, BELAY_NUMERICS_ACT_Q16};

TEST_CASE("linear with quantised activations: one token and many give the same bits") {
  for (const DType dtype : kQuantised) {
    for (const std::int32_t numerics : kQuantisedNumerics) {
      for (const std::size_t tokens : {2, 3, 5, 131}) {
        const OpCase many = linear_case(dtype, numerics, {.tokens = tokens, .k = 768, .n = 21, .bias = true},
                                        Fill::kNormal, WeightFill::kNormal, next_seed());
        for (const auto& plugin : loaded_plugins())
          if (plugin->offers(many) && promises_same_bits(*plugin, many)) check_same_bits(*plugin, many);
      }
    }
  }
}

// Packed weights and the file's own give the same bits.
void check_layouts(DType dtype, std::int32_t numerics, const LinearShape& shape) {
  const OpCase op_case = linear_case(dtype, numerics, shape, Fill::kNormal, WeightFill::kNormal, next_seed());
  for (const auto& plugin : loaded_plugins()) {
    if (!plugin->offers(op_case)) continue;
    INFO(plugin->name(), ": ", op_case.label);
    CHECK(output_of(*plugin, op_case) == output_of(*plugin, op_case, Layout::kFile));
  }
}

TEST_CASE("linear with quantised activations: packed weights and the file's own give the same bits") {
  for (const DType dtype : kQuantised) {
    for (const std::size_t k : {32, 96, 160, 256, 576, 1280}) {
      if (k % info(dtype).block_elems != 0) continue;
      check_layouts(dtype, BELAY_NUMERICS_ACT_Q8, {.tokens = 1, .k = k, .n = 37, .bias = true});
      check_layouts(dtype, BELAY_NUMERICS_ACT_Q8, {.tokens = 2, .k = k, .n = 16});
      check_layouts(dtype, BELAY_NUMERICS_ACT_Q8, {.tokens = 7, .k = k, .n = 37});
      check_layouts(dtype, BELAY_NUMERICS_ACT_Q16, {.tokens = 1, .k = k, .n = 37});
      check_layouts(dtype, BELAY_NUMERICS_ACT_Q16, {.tokens = 3, .k = k, .n = 37, .bias = true});
    }
  }
}

}  // namespace
}  // namespace belay::kernel_tests
