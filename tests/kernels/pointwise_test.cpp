#include "tests/kernels/expect_pass.hpp"
#include "tests/support/doctest.hpp"

namespace belay::kernel_tests {
namespace {

constexpr Fill kAllFills[] = {Fill::kNormal, Fill::kTiny, Fill::kHuge, Fill::kDenormal,
                              Fill::kMixed,  Fill::kZero, Fill::kNan,  Fill::kInfinity};

void check(std::size_t tokens, std::size_t n, Fill fill) {
  expect_pass(silu_mul_case(tokens, n, fill, next_seed()), "silu_mul");
  expect_pass(gelu_case(BELAY_GELU_ERF, tokens, n, fill, next_seed()), "gelu erf");
  expect_pass(gelu_case(BELAY_GELU_TANH, tokens, n, fill, next_seed()), "gelu tanh");
  expect_pass(add_case(tokens, n, fill, next_seed()), "add");
}

TEST_CASE("pointwise: every size") {
  for (const std::size_t n : {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 1031}) check(3, n, Fill::kNormal);
  for (const std::size_t tokens : {0, 1, 2, 8, 17, 64}) check(tokens, 40, Fill::kNormal);
  check(0, 8, Fill::kNormal);
  check(4, 3000, Fill::kNormal);
}

TEST_CASE("pointwise: every kind of value") {
  for (const Fill fill : kAllFills) {
    for (const std::size_t n : {5, 37, 300}) check(4, n, fill);
  }
}

TEST_CASE("pointwise: an infinity of either sign stays visible") {
  for (int i = 0; i < 8; ++i) {
    check(2, 19, Fill::kInfinity);
    check(2, 19, Fill::kNan);
  }
}

}  // namespace
}  // namespace belay::kernel_tests
