#include "tests/kernels/expect_pass.hpp"
#include "tests/support/doctest.hpp"

namespace belay::kernel_tests {
namespace {

constexpr std::int32_t kStyles[] = {BELAY_ROPE_ADJACENT, BELAY_ROPE_HALVES};

void check(const RopeShape& shape, Fill fill = Fill::kNormal) {
  expect_pass(rope_case(shape, fill, next_seed()), "rope");
}

TEST_CASE("rope: both styles, every size of head and rotary part") {
  for (const std::int32_t style : kStyles) {
    for (const std::size_t d : {2, 4, 6, 14, 16, 18, 64, 72, 128}) {
      check({.tokens = 3, .heads = 3, .d = d, .rotary_dim = d, .style = style});
      if (d >= 16) check({.tokens = 3, .heads = 2, .d = d, .rotary_dim = d / 4 * 2, .style = style});
    }
    check({.tokens = 2, .heads = 2, .d = 7, .rotary_dim = 6, .style = style});
  }
}

TEST_CASE("rope: every number of tokens") {
  for (const std::size_t tokens : {0, 1, 2, 8, 17, 64}) {
    check({.tokens = tokens,
           .heads = 9,
           .d = 64,
           .rotary_dim = 64,
           .style = BELAY_ROPE_ADJACENT,
           .theta = 1e5F});
    check({.tokens = tokens,
           .heads = 2,
           .d = 128,
           .rotary_dim = 128,
           .style = BELAY_ROPE_HALVES,
           .theta = 5e6F});
  }
}

TEST_CASE("rope: far positions") {
  for (const std::int32_t style : kStyles) {
    for (const std::int32_t far : {1, 100, 8192, 131072}) {
      check({.tokens = 16,
             .heads = 1,
             .d = 64,
             .rotary_dim = 64,
             .style = style,
             .theta = 10000.0F,
             .max_position = far});
    }
  }
}

TEST_CASE("rope: stretched context and frequency factors") {
  for (const std::int32_t style : kStyles) {
    check({.tokens = 5, .heads = 2, .style = style, .position_scale = 0.25F});
    check({.tokens = 5, .heads = 2, .style = style, .freq_factors = true});
    check({.tokens = 5,
           .heads = 2,
           .rotary_dim = 32,
           .style = style,
           .position_scale = 0.5F,
           .freq_factors = true});
  }
}

TEST_CASE("rope: several axes, interleaved and one after the other") {
  for (const std::int32_t style : kStyles) {
    for (const bool interleaved : {true, false}) {
      check({.tokens = 7,
             .heads = 2,
             .d = 128,
             .rotary_dim = 128,
             .style = style,
             .theta = 5e6F,
             .interleaved = interleaved,
             .sections = {24, 20, 20, 0}});
      check({.tokens = 7,
             .heads = 2,
             .d = 16,
             .rotary_dim = 16,
             .style = style,
             .interleaved = interleaved,
             .sections = {4, 2, 2, 0}});
    }
    check({.tokens = 4,
           .heads = 3,
           .d = 72,
           .rotary_dim = 72,
           .style = style,
           .freq_factors = true,
           .sections = {18, 18, 0, 0}});
  }
}

TEST_CASE("rope: values at which kernels break") {
  for (const Fill fill :
       {Fill::kTiny, Fill::kHuge, Fill::kDenormal, Fill::kMixed, Fill::kZero, Fill::kNan, Fill::kInfinity}) {
    for (const std::int32_t style : kStyles) check({.tokens = 3, .heads = 2, .style = style}, fill);
  }
}

}  // namespace
}  // namespace belay::kernel_tests
