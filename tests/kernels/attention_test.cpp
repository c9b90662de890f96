// kv_write and attention, with positions on both sides of the borders of a cache block.
#include "tests/kernels/expect_pass.hpp"
#include "tests/kernels/some_tokens.hpp"
#include "tests/support/doctest.hpp"

#include <initializer_list>
#include <string>
#include <vector>

namespace belay::kernel_tests {
namespace {

constexpr DType kCacheTypes[] = {DType::kF32, DType::kF16, DType::kQ8_0};
constexpr std::size_t kPositions[] = {0, 1, 63, 64, 65, 200};

void check_write(const CacheShape& shape, Fill fill = Fill::kNormal) {
  expect_pass(kv_write_case(whole_blocks(shape), fill, next_seed()),
              "kv_write " + std::string(to_string(shape.dtype)));
}

void check_attention(const CacheShape& shape, Fill fill = Fill::kNormal, bool bad_key = false) {
  expect_pass(attention_case(whole_blocks(shape), fill, bad_key, next_seed()),
              "attention " + std::string(to_string(shape.dtype)));
}

template <class Body>
void for_each_mask(Body body) {
  for (const DType dtype : kCacheTypes) {
    for (const bool causal : {true, false}) body(dtype, causal);
  }
}

TEST_CASE("kv_write: every position and number of tokens") {
  for (const DType dtype : kCacheTypes) {
    for (const std::size_t position : kPositions) {
      for (const std::size_t tokens : {0, 1, 2, 3, 8, 17, 64, 130}) {
        check_write({.dtype = dtype, .tokens = tokens, .kv_heads = 3, .d = 20, .position = position});
      }
    }
  }
}

TEST_CASE("kv_write: every value rounds as IEEE says") {
  for (const DType dtype : kCacheTypes) {
    for (const Fill fill : {Fill::kTiny, Fill::kHuge, Fill::kDenormal, Fill::kMixed, Fill::kZero, Fill::kNan,
                            Fill::kInfinity}) {
      for (const std::size_t d : {1, 7, 8, 64})
        check_write({.dtype = dtype, .tokens = 5, .kv_heads = 2, .d = d, .position = 62}, fill);
    }
  }
}

TEST_CASE("attention: every position and number of tokens") {
  for_each_mask([](DType dtype, bool causal) {
    for (const std::size_t position : kPositions) {
      for (const std::size_t tokens : {0, 1, 2, 3, 8, 17, 64}) {
        check_attention({.dtype = dtype,
                         .tokens = tokens,
                         .heads = 6,
                         .kv_heads = 2,
                         .d = 16,
                         .position = position,
                         .causal = causal});
      }
    }
  });
}

TEST_CASE("attention: every head size and grouping") {
  for (const DType dtype : kCacheTypes) {
    for (const std::size_t d : {1, 2, 7, 8, 9, 17, 64, 72, 128, 200, 256}) {
      check_attention({.dtype = dtype, .tokens = 3, .heads = 2, .kv_heads = 2, .d = d, .position = 70});
    }
    for (const std::size_t heads : {1, 4, 9}) {
      check_attention({.dtype = dtype, .tokens = 2, .heads = heads, .kv_heads = 1, .d = 64, .position = 100});
      check_attention(
          {.dtype = dtype, .tokens = 1, .heads = heads * 3, .kv_heads = 3, .d = 64, .position = 700});
    }
  }
}

// Where the way to compute changes (24 rows of a head), around its tiles of 8 and 16 rows, and with units of
// the most rows (192).
TEST_CASE("attention: borders of the tiles for many rows") {
  for_each_mask([](DType dtype, bool causal) {
    for (const std::size_t tokens : {15, 16, 17, 23, 24, 25, 32, 33, 97, 290})
      check_attention({.dtype = dtype, .tokens = tokens, .d = 16, .position = 3, .causal = causal});
    check_attention({.dtype = dtype, .tokens = 230, .heads = 12, .d = 8, .position = 60, .causal = causal});
    for (const std::size_t d : {1, 7, 8, 9, 15, 17, 24, 64, 72, 80, 128, 256}) {
      check_attention({.dtype = dtype,
                       .tokens = 23,
                       .heads = 4,
                       .kv_heads = 2,
                       .d = d,
                       .position = 50,
                       .causal = causal});
    }
    for (const std::size_t position : kPositions) {
      check_attention(
          {.dtype = dtype, .tokens = 70, .heads = 3, .d = 24, .position = position, .causal = causal});
    }
  });
}

// Whether the tokens of a step have the bits that they have in a step that begins later, where they lie
// elsewhere in the tiles. Both are steps of few rows of a head, or of many.
void check_bits_of_later_steps(const LoadedPlugin& plugin, const OpCase& all,
                               std::initializer_list<std::size_t> firsts) {
  const std::vector<std::uint8_t> together = output_of(plugin, all);
  for (const std::size_t first : firsts) {
    const std::size_t count = all.tokens - first;
    const std::string where = plugin.name() + ": from token " + std::to_string(first) + " of " + all.label;
    INFO(where);
    CHECK(output_of(plugin, some_tokens(all, first, count)) == tokens_of(together, all.tokens, first, count));
  }
}

TEST_CASE("attention: a row's bits do not depend on the rows beside it") {
  for (const DType dtype : kCacheTypes) {
    for (const Fill fill : {Fill::kNormal, Fill::kMixed, Fill::kNan, Fill::kInfinity}) {
      const OpCase many = attention_case(
          whole_blocks({.dtype = dtype, .tokens = 75, .heads = 6, .kv_heads = 2, .d = 20, .position = 61}),
          fill, false, next_seed());
      const OpCase few = attention_case(
          whole_blocks({.dtype = dtype, .tokens = 5, .heads = 6, .kv_heads = 2, .d = 20, .position = 126}),
          fill, false, next_seed());
      for (const auto& plugin : loaded_plugins()) {
        if (!plugin->offers(many)) continue;
        check_bits_of_later_steps(*plugin, many, {1, 3, 16, 37, 66});
        check_bits_of_later_steps(*plugin, few, {1, 2, 4});
      }
    }
  }
}

TEST_CASE("attention: values at which kernels break, among many rows") {
  for (const DType dtype : kCacheTypes) {
    for (const Fill fill :
         {Fill::kTiny, Fill::kDenormal, Fill::kMixed, Fill::kZero, Fill::kNan, Fill::kInfinity}) {
      for (const bool bad_key : {false, true}) {
        check_attention({.dtype = dtype, .tokens = 40, .heads = 4, .kv_heads = 2, .d = 20, .position = 61},
                        fill, bad_key);
      }
    }
  }
}

TEST_CASE("attention: values at which kernels break") {
  for (const DType dtype : kCacheTypes) {
    for (const Fill fill :
         {Fill::kTiny, Fill::kDenormal, Fill::kMixed, Fill::kZero, Fill::kNan, Fill::kInfinity}) {
      check_attention({.dtype = dtype, .tokens = 5, .heads = 4, .kv_heads = 2, .d = 32, .position = 61},
                      fill);
      check_attention({.dtype = dtype, .tokens = 1, .heads = 4, .kv_heads = 2, .d = 32, .position = 130},
                      fill);
    }
    for (const Fill fill : {Fill::kNan, Fill::kInfinity}) {
      check_attention({.dtype = dtype, .tokens = 5, .heads = 4, .kv_heads = 2, .d = 32, .position = 61}, fill,
                      true);
      check_attention({.dtype = dtype, .tokens = 1, .heads = 4, .kv_heads = 2, .d = 32, .position = 130},
                      fill, true);
    }
  }
}

}  // namespace
}  // namespace belay::kernel_tests
