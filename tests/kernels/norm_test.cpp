#include "tests/kernels/expect_pass.hpp"
#include "tests/support/doctest.hpp"

namespace belay::kernel_tests {
namespace {

constexpr std::size_t kLengths[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 127, 576, 1031, 4096};
constexpr std::size_t kTokens[] = {0, 1, 2, 3, 8, 17, 64};
constexpr Fill kHardFills[] = {Fill::kTiny, Fill::kHuge, Fill::kDenormal, Fill::kMixed,
                               Fill::kZero, Fill::kNan,  Fill::kInfinity};

TEST_CASE("norms: every length of a row") {
  for (const std::size_t d : kLengths) {
    expect_pass(rms_norm_case({.tokens = 3, .d = d}, 1e-6F, Fill::kNormal, next_seed()), "rms_norm");
    for (int i = 0; i < 2; ++i) {  // one of them far from a mean of 0
      expect_pass(layer_norm_case({.tokens = 3, .d = d}, 1e-6F, Fill::kNormal, next_seed()), "layer_norm");
    }
  }
}

TEST_CASE("norms: every number of tokens, with and without heads") {
  for (const std::size_t tokens : kTokens) {
    for (const std::size_t heads : {0, 1, 5}) {
      expect_pass(
          rms_norm_case({.tokens = tokens, .heads = heads, .d = 40}, 1e-5F, Fill::kNormal, next_seed()),
          "rms_norm");
      expect_pass(
          layer_norm_case({.tokens = tokens, .heads = heads, .d = 40}, 1e-5F, Fill::kNormal, next_seed()),
          "layer_norm");
    }
  }
}

TEST_CASE("norms: values at which kernels break") {
  for (const Fill fill : kHardFills) {
    for (const std::size_t d : {5, 48, 130}) {
      expect_pass(rms_norm_case({.tokens = 4, .d = d}, 1e-6F, fill, next_seed()), "rms_norm");
      expect_pass(layer_norm_case({.tokens = 4, .d = d}, 1e-6F, fill, next_seed()), "layer_norm");
    }
  }
}

}  // namespace
}  // namespace belay::kernel_tests
