// The kernels of linear against tests/reference: every type, both numerics, few tokens and many, alone and
// fused.
#include "tests/kernels/compare.hpp"
#include "tests/plugins/cuda_sm61/linear/emulated_linear.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

namespace belay::cuda_tests {
namespace {

using kernel_tests::Fill;
using kernel_tests::LinearShape;
using kernel_tests::OpCase;
using kernel_tests::WeightFill;

constexpr DType kFloats[] = {DType::kF32, DType::kF16, DType::kBF16};
constexpr DType kQuantised[] = {DType::kQ8_0, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0,
                                DType::kQ5_1, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};
constexpr Kernel kKernels[] = {Kernel::kGemvQ8, Kernel::kGemmQ8, Kernel::kGemmQ8Small, Kernel::kGemvF32,
                               Kernel::kGemmF32};

bool is_gemv(Kernel kernel) { return kernel == Kernel::kGemvQ8 || kernel == Kernel::kGemvF32; }
bool is_q8(Kernel kernel) { return kernel <= Kernel::kGemmQ8Small; }

// body(kernel, type) for every kernel that there is.
template <class Body>
void for_each_kernel(Body body) {
  for (const Kernel kernel : kKernels) {
    for (const DType dtype : kQuantised) body(kernel, dtype);
    if (is_q8(kernel)) continue;
    for (const DType dtype : kFloats) body(kernel, dtype);
  }
}

OpCase make_case(Kernel kernel, DType dtype, const LinearShape& shape, Fill fill, WeightFill weights,
                 std::uint64_t seed) {
  const auto numerics = is_q8(kernel) ? BELAY_NUMERICS_ACT_Q8 : BELAY_NUMERICS_F32;
  OpCase op_case = kernel_tests::linear_case(dtype, numerics, shape, fill, weights, seed);
  // What the kernel computes is the quantised alternative; the other would let a wrong scale pass.
  if (is_q8(kernel)) op_case.expected[0].erase(op_case.expected[0].begin());
  return op_case;
}

void expect_right(Kernel kernel, const OpCase& op_case, const std::vector<float>& y) {
  const auto comparison = kernel_tests::compare(op_case.expected[0][0], kernel_tests::to_doubles(y));
  INFO(to_string(kernel), ": ", op_case.label);
  CHECK_MESSAGE(comparison.ok, comparison.problem);
}

void check(Kernel kernel, DType dtype, const LinearShape& shape, Fill fill = Fill::kNormal,
           WeightFill weights = WeightFill::kNormal) {
  if (is_gemv(kernel) && shape.tokens > 8) return;
  const OpCase op_case = make_case(kernel, dtype, shape, fill, weights, new_seed());
  expect_right(kernel, op_case, run({.kernel = kernel, .cases = {&op_case}})[0]);
}

std::size_t values_of(DType dtype, std::size_t blocks) { return blocks * info(dtype).block_elems; }

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST_CASE("linear: every number of tokens and odd numbers of rows") {
  for_each_kernel([](Kernel kernel, DType dtype) {
    for (const std::size_t tokens : {1, 2, 3, 4, 5, 6, 7, 8, 9, 33, 65}) {
      const std::size_t k = info(dtype).block_elems == 1 ? 83 : values_of(dtype, 3);
      check(kernel, dtype, {.tokens = tokens, .k = k, .n = 2 * tokens + 5, .bias = tokens % 2 == 0});
    }
  });
}

TEST_CASE("linear: every number of outputs around the blocks'") {
  for_each_kernel([](Kernel kernel, DType dtype) {
    for (const std::size_t n : {1, 2, 3, 7, 8, 9, 127, 129}) {
      const std::size_t k = info(dtype).block_elems == 1 ? 40 : values_of(dtype, 1);
      check(kernel, dtype, {.tokens = 2, .k = k, .n = n, .bias = n % 2 == 1});
    }
  });
}

// Lanes idle, all busy, and some for a second and third time; odd numbers of blocks; rows of floats of any
// length.
TEST_CASE("linear: every length of a row") {
  for_each_kernel([](Kernel kernel, DType dtype) {
    const std::size_t block = info(dtype).block_elems;
    const auto lengths = block == 1
                             ? std::vector<std::size_t>{1, 2, 3, 4, 7, 8, 9, 31, 32, 33, 36, 255, 256, 517}
                         : block == 32 ? std::vector<std::size_t>{1, 2, 3, 31, 32, 33, 67}
                                       : std::vector<std::size_t>{1, 3, 5, 9};
    for (const std::size_t length : lengths)
      check(kernel, dtype, {.tokens = 3, .k = length * block, .n = 11});
  });
}

// Rows that begin anywhere, and end between two others.
TEST_CASE("linear: a token does not see the next one") {
  for (const DType dtype : kFloats) {
    for (const Kernel kernel : {Kernel::kGemvF32, Kernel::kGemmF32}) {
      for (const std::size_t k : {5, 6, 7, 38}) {
        OpCase op_case = make_case(kernel, dtype, {.tokens = 3, .k = k, .n = 4}, Fill::kNormal,
                                   WeightFill::kNormal, new_seed());
        std::vector<std::uint8_t>& x = op_case.inputs[0].bytes;
        std::fill_n(x.begin() + static_cast<std::ptrdiff_t>(k * sizeof(float)), k * sizeof(float),
                    std::uint8_t{0xff});
        kernel_tests::Expectation& expected = op_case.expected[0][0];
        std::fill_n(expected.values.begin() + 4, 4, std::numeric_limits<double>::quiet_NaN());
        expect_right(kernel, op_case, run({.kernel = kernel, .cases = {&op_case}})[0]);
      }
    }
  }
}

TEST_CASE("linear: values at which kernels break") {
  for_each_kernel([](Kernel kernel, DType dtype) {
    const std::size_t k = info(dtype).block_elems == 1 ? 101 : values_of(dtype, 5);
    for (const Fill fill : {Fill::kTiny, Fill::kHuge, Fill::kDenormal, Fill::kMixed, Fill::kZero, Fill::kNan,
                            Fill::kInfinity, Fill::kEqual})
      check(kernel, dtype, {.tokens = 5, .k = k, .n = 9, .bias = true}, fill);
  });
}

TEST_CASE("linear: weights at which kernels break") {
  for_each_kernel([](Kernel kernel, DType dtype) {
    const std::size_t block = info(dtype).block_elems;
    const std::size_t k = block == 1 ? 70 : block == 32 ? 35 * block : 5 * block;
    for (const WeightFill weights :
         {WeightFill::kExtreme, WeightFill::kMinus128, WeightFill::kNanScale, WeightFill::kInfiniteScale}) {
      for (const Fill fill : {Fill::kNormal, Fill::kMixed, Fill::kTiny})
        check(kernel, dtype, {.tokens = 3, .k = k, .n = 7}, fill, weights);
      // Sums of integers as large as they get.
      if (is_q8(kernel)) check(kernel, dtype, {.tokens = 3, .k = k, .n = 7}, Fill::kEqual, weights);
    }
  });
}

TEST_CASE("linear: the order of threads changes no bit") {
  for_each_kernel([](Kernel kernel, DType dtype) {
    const std::size_t k = info(dtype).block_elems == 1 ? 99 : values_of(dtype, 3);
    const std::size_t tokens = is_gemv(kernel) ? 3 : 70;
    const OpCase op_case = make_case(kernel, dtype, {.tokens = tokens, .k = k, .n = 137, .bias = true},
                                     Fill::kNormal, WeightFill::kNormal, new_seed());
    const auto first = run({.kernel = kernel, .cases = {&op_case}});
    for (const emulator::Options& options : all_schedules())
      CHECK(same_bits(run({.kernel = kernel, .cases = {&op_case}}, options)[0], first[0]));
    expect_right(kernel, op_case, first[0]);
  });
}

// The first `tokens` tokens of a case.
OpCase first_tokens(OpCase op_case, std::size_t tokens) {
  kernel_tests::Operand& x = op_case.inputs[0];
  const std::size_t row = x.bytes.size() / op_case.tokens;
  x.bytes.resize(tokens * row);
  x.shape[0] = static_cast<std::int64_t>(tokens);
  kernel_tests::Operand& y = op_case.outputs[0];
  y.bytes.resize(y.bytes.size() / op_case.tokens * tokens);
  y.shape[0] = static_cast<std::int64_t>(tokens);
  op_case.tokens = tokens;
  return op_case;
}

TEST_CASE("linear: a token's bits do not depend on how many come with it, nor on the columns of the kernel") {
  for_each_kernel([](Kernel kernel, DType dtype) {
    const std::size_t k = info(dtype).block_elems == 1 ? 300 : values_of(dtype, 6);
    const std::size_t tokens = is_gemv(kernel) ? 8 : 66;
    const OpCase many = make_case(kernel, dtype, {.tokens = tokens, .k = k, .n = 5}, Fill::kNormal,
                                  WeightFill::kNormal, new_seed());
    const auto together = run({.kernel = kernel, .cases = {&many}})[0];
    const OpCase one = first_tokens(many, 1);
    for (const int columns : {1, 4, 8}) {
      const auto alone = run({.kernel = kernel, .cases = {&one}, .columns = columns})[0];
      CHECK(std::equal(alone.begin(), alone.end(), together.begin()));
    }
  });
}

TEST_CASE("linear: up to three weights in one launch give what each gives alone") {
  for_each_kernel([](Kernel kernel, DType dtype) {
    const std::size_t k = info(dtype).block_elems == 1 ? 60 : values_of(dtype, 2);
    const std::uint64_t seed = new_seed();
    // The same seed and the same x: cases draw it first.
    const auto with_rows = [&](std::size_t n, bool bias) {
      return make_case(kernel, dtype, {.tokens = 3, .k = k, .n = n, .bias = bias}, Fill::kNormal,
                       WeightFill::kNormal, seed);
    };
    const OpCase q = with_rows(131, true);
    const OpCase key = with_rows(9, false);
    const OpCase value = with_rows(17, true);
    const auto three = run({.kernel = kernel, .cases = {&q, &key, &value}});
    expect_right(kernel, q, three[0]);
    expect_right(kernel, key, three[1]);
    expect_right(kernel, value, three[2]);
    const auto two = run({.kernel = kernel, .cases = {&key, &value}});
    CHECK(same_bits(two[0], three[1]));
    CHECK(same_bits(two[1], three[2]));
    CHECK(same_bits(run({.kernel = kernel, .cases = {&value}})[0], three[2]));
  });
}

TEST_CASE("linear: a residual is added, also where the outputs take its place") {
  for_each_kernel([](Kernel kernel, DType dtype) {
    const std::size_t k = info(dtype).block_elems == 1 ? 61 : values_of(dtype, 2);
    OpCase op_case = make_case(kernel, dtype, {.tokens = 5, .k = k, .n = 21, .bias = true}, Fill::kNormal,
                               WeightFill::kNormal, new_seed());
    kernel_tests::Random random(new_seed());
    kernel_tests::Expectation& expected = op_case.expected[0][0];
    const auto residual = kernel_tests::make_floats(random, Fill::kNormal, expected.values.size(), 21);
    for (std::size_t i = 0; i < residual.size(); ++i) {
      expected.values[i] += static_cast<double>(residual[i]);
      expected.tolerances[i] += std::fabs(expected.values[i]) * 0x1p-23;  // two roundings more
    }
    const auto y = run({.kernel = kernel, .cases = {&op_case}, .residual = residual})[0];
    expect_right(kernel, op_case, y);
    CHECK(same_bits(run({.kernel = kernel, .cases = {&op_case}, .residual = residual, .in_place = true})[0],
                    y));
  });
}

TEST_CASE("linear: gate and up in one launch give silu(gate) * up") {
  for_each_kernel([](Kernel kernel, DType dtype) {
    if (!is_gemv(kernel)) return;
    const std::size_t k = info(dtype).block_elems == 1 ? 60 : values_of(dtype, 2);
    for (const std::size_t tokens : {1, 2, 4, 7}) {
      const LinearShape shape = {.tokens = tokens, .k = k, .n = 2 * tokens + 1, .bias = tokens == 2};
      const std::uint64_t seed = new_seed();
      const OpCase gate = make_case(kernel, dtype, shape, Fill::kNormal, WeightFill::kNormal, seed);
      const OpCase up = make_case(kernel, dtype, shape, Fill::kNormal, WeightFill::kExtreme, seed);
      auto expected = run({.kernel = kernel, .cases = {&gate}})[0];
      const auto factor = run({.kernel = kernel, .cases = {&up}})[0];
      for (std::size_t i = 0; i < expected.size(); ++i)
        expected[i] = expected[i] / (1.0F + std::exp(-expected[i])) * factor[i];
      INFO(to_string(kernel), ": ", gate.label);
      CHECK(same_bits(run({.kernel = kernel, .cases = {&gate, &up}, .silu = true})[0], expected));
    }
  });
}

bool same_bytes(const QuantisedOnDevice& a, const QuantisedOnDevice& b) {
  return std::ranges::equal(a.low.bytes(), b.low.bytes()) &&
         std::ranges::equal(a.high.bytes(), b.high.bytes()) &&
         std::ranges::equal(a.scales.bytes(), b.scales.bytes());
}

// In every schedule: a block of threads shares 32 values before one of its warps quantises them.
TEST_CASE("linear: gate, up and the quantisation in one launch give what three launches give") {
  for (const DType dtype : kQuantised) {
    for (const Fill fill : {Fill::kNormal, Fill::kNan}) {
      const LinearShape shape = {.tokens = 1, .k = values_of(dtype, 5), .n = 96};
      const std::uint64_t seed = new_seed();
      const OpCase gate = make_case(Kernel::kGemvQ8, dtype, shape, fill, WeightFill::kNormal, seed);
      const OpCase up = make_case(Kernel::kGemvQ8, dtype, shape, fill, WeightFill::kExtreme, seed);
      const auto y = run({.kernel = Kernel::kGemvQ8, .cases = {&gate, &up}, .silu = true})[0];
      const QuantisedOnDevice expected(kernel_tests::to_bytes(y), 1, y.size());
      for (const emulator::Options& options : all_schedules()) {
        const QuantisedOnDevice actual(y.size() / 32);
        run_swiglu(gate, up, actual, options);
        INFO(gate.label);
        CHECK(same_bytes(actual, expected));
      }
    }
  }
}

// In every schedule: the block that ends last reads what all of them wrote.
TEST_CASE("linear: the sum, its norm and the quantisation in one launch give what three launches give") {
  for (const DType dtype : kQuantised) {
    for (const std::size_t rows : {32, 96, 1024, 1056}) {
      const LinearShape shape = {.tokens = 1, .k = values_of(dtype, 1), .n = rows};
      const OpCase op_case =
          make_case(Kernel::kGemvQ8, dtype, shape, Fill::kNormal, WeightFill::kNormal, new_seed());
      std::vector<float> residual(rows);
      std::vector<float> weight(rows);
      for (std::size_t i = 0; i < rows; ++i) {
        residual[i] = std::sin(static_cast<float>(i));
        weight[i] = 1.0F + 0.1F * std::cos(static_cast<float>(i));
      }
      const auto y = run({.kernel = Kernel::kGemvQ8, .cases = {&op_case}, .residual = residual})[0];
      const QuantisedOnDevice expected(rows / 32);
      norm_row(y, weight, expected);
      for (const emulator::Options& options : all_schedules()) {
        const QuantisedOnDevice actual(rows / 32);
        INFO(op_case.label);
        CHECK(same_bits(run_norm(op_case, residual, weight, actual, options), y));
        CHECK(same_bytes(actual, expected));
      }
    }
  }
}

}  // namespace
}  // namespace belay::cuda_tests
