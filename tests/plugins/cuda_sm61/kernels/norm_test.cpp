// The kernels of norm.cu: the operators, and what is fused with them.
#include "plugins/cuda_sm61/kernels/linear_params.h"
#include "plugins/cuda_sm61/kernels/norm_params.h"
#include "tests/kernels/cases.hpp"
#include "tests/plugins/cuda_sm61/kernels/emulated.hpp"
#include "tests/reference/ops.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <cmath>

namespace belay::cuda_tests {
namespace {

using kernel_tests::Fill;
using kernel_tests::NormShape;
using kernel_tests::OpCase;

constexpr float kEpsilon = 1e-6F;
constexpr Fill kHardFills[] = {Fill::kTiny, Fill::kHuge, Fill::kDenormal, Fill::kMixed,
                               Fill::kZero, Fill::kNan,  Fill::kInfinity};

std::size_t rows_of(const NormShape& shape) { return shape.tokens * std::max<std::size_t>(shape.heads, 1); }

RmsNormParams rms_params(const NormShape& shape) {
  RmsNormParams params{};
  params.rows = static_cast<int>(rows_of(shape));
  params.d = static_cast<int>(shape.d);
  params.epsilon = kEpsilon;
  return params;
}

void launch_rms(const std::string& name, const RmsNormParams& params, const emulator::Options& options) {
  const auto rows = static_cast<std::size_t>(params.rows);
  launch_kernel(name, params, {name == "belay_rms_norm" ? blocks_of(rows, 1) : blocks_of(rows, 8)}, options);
}

void check_rms(const NormShape& shape, Fill fill = Fill::kNormal) {
  const OpCase op_case = kernel_tests::rms_norm_case(shape, kEpsilon, fill, new_seed());
  for (const std::string name : {"belay_rms_norm", "belay_rms_norm_short"}) {
    expect_right(op_case, name, [&](const Operands& operands, const emulator::Options& options) {
      RmsNormParams params = rms_params(shape);
      params.x = operands.input<float>(0);
      params.weight = operands.constant<float>(0);
      params.y = operands.output<float>(0);
      launch_rms(name, params, options);
    });
  }
}

void check_layer(const NormShape& shape, Fill fill = Fill::kNormal) {
  const OpCase op_case = kernel_tests::layer_norm_case(shape, kEpsilon, fill, new_seed());
  expect_right(op_case, "belay_layer_norm", [&](const Operands& operands, const emulator::Options& options) {
    LayerNormParams params{};
    params.x = operands.input<float>(0);
    params.weight = operands.constant<float>(0);
    params.bias = operands.constant<float>(1);
    params.y = operands.output<float>(0);
    params.rows = static_cast<int>(rows_of(shape));
    params.d = static_cast<int>(shape.d);
    params.epsilon = kEpsilon;
    launch_kernel("belay_layer_norm", params, {blocks_of(rows_of(shape), 1)}, options);
  });
}

TEST_CASE("norms: every length of a row") {
  for (const std::size_t d : {1, 2, 3, 5, 31, 32, 33, 64, 127, 576, 1031, 2048}) {
    check_rms({.tokens = 3, .d = d});
    for (int i = 0; i < 2; ++i) check_layer({.tokens = 3, .d = d});  // one of them far from a mean of 0
  }
}

TEST_CASE("norms: rows that do not fill the last block") {
  for (const std::size_t tokens : {0, 1, 2, 7, 8, 9}) {
    check_rms({.tokens = tokens, .heads = 3, .d = 40});
    check_layer({.tokens = tokens, .heads = 3, .d = 40});
  }
}

TEST_CASE("norms: values at which kernels break") {
  for (const Fill fill : kHardFills) {
    for (const std::size_t d : {5, 48, 130}) {
      check_rms({.tokens = 4, .d = d}, fill);
      check_layer({.tokens = 4, .d = d}, fill);
    }
  }
}

struct Rows {
  std::vector<float> x;
  std::vector<float> add;
  std::vector<float> sum;  // as floats add them
  std::vector<float> weight;
  std::vector<float> bias;
};

Rows make_rows(std::size_t rows, std::size_t d) {
  kernel_tests::Random random(new_seed());
  Rows result;
  result.x = kernel_tests::make_floats(random, Fill::kNormal, rows * d, d);
  result.add = kernel_tests::make_floats(random, Fill::kNormal, rows * d, d);
  for (std::size_t i = 0; i < rows * d; ++i) result.sum.push_back(result.x[i] + result.add[i]);
  result.weight = kernel_tests::make_floats(random, Fill::kNormal, d, d);
  result.bias = kernel_tests::make_floats(random, Fill::kNormal, d, d);
  return result;
}

std::span<const std::uint8_t> bytes_of(const std::vector<float>& values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(float)};
}

void expect_near(const std::vector<double>& expected, const std::vector<float>& actual, double absolute) {
  REQUIRE(expected.size() == actual.size());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!(std::fabs(expected[i] - static_cast<double>(actual[i])) <=
          2e-6 * std::fabs(expected[i]) + absolute))
      ++wrong;
  }
  CHECK(wrong == 0);
}

enum class Place { kOwn, kX, kAdd };  // where the sum goes

void check_residual(const std::string& name, const Rows& rows, std::size_t d, Place place) {
  const auto expected = reference::rms_norm(kernel_tests::to_doubles(rows.sum),
                                            kernel_tests::to_doubles(rows.weight), double{kEpsilon});
  in_every_schedule(name, [&](const emulator::Options& options) {
    const GuardedMemory x(rows.x);
    const GuardedMemory add(rows.add);
    const GuardedMemory own(rows.x.size() * sizeof(float));
    const GuardedMemory weight(rows.weight);
    const GuardedMemory y(rows.x.size() * sizeof(float));
    const GuardedMemory& sum = place == Place::kOwn ? own : place == Place::kX ? x : add;
    RmsNormParams params = rms_params({.tokens = rows.x.size() / d, .d = d});
    params.x = x.as<float>();
    params.add = add.as<float>();
    params.sum = sum.as<float>();
    params.weight = weight.as<float>();
    params.y = y.as<float>();
    launch_rms(name, params, options);
    CHECK(std::ranges::equal(sum.bytes(), bytes_of(rows.sum)));
    expect_near(expected, y.floats(), 0.0);
    return joined({&y});
  });
}

TEST_CASE("rms_norm with a residual: the sum is written, in either operand's place, too, and is normalised") {
  for (const std::string name : {"belay_rms_norm", "belay_rms_norm_short"}) {
    for (const std::size_t d : {7, 96, 576, 1030}) {
      const Rows rows = make_rows(5, d);
      for (const Place place : {Place::kOwn, Place::kX, Place::kAdd}) check_residual(name, rows, d, place);
    }
  }
}

TEST_CASE("layer_norm with a residual") {
  for (const std::size_t d : {7, 96, 1030}) {
    const Rows rows = make_rows(5, d);
    const auto expected =
        reference::layer_norm(kernel_tests::to_doubles(rows.sum), kernel_tests::to_doubles(rows.weight),
                              kernel_tests::to_doubles(rows.bias), double{kEpsilon});
    in_every_schedule("layer_norm", [&](const emulator::Options& options) {
      const GuardedMemory x(rows.x);
      const GuardedMemory add(rows.add);
      const GuardedMemory weight(rows.weight);
      const GuardedMemory bias(rows.bias);
      const GuardedMemory y(rows.x.size() * sizeof(float));
      const LayerNormParams params{.x = x.as<float>(),
                                   .add = add.as<float>(),
                                   .sum = x.as<float>(),
                                   .weight = weight.as<float>(),
                                   .bias = bias.as<float>(),
                                   .y = y.as<float>(),
                                   .rows = 5,
                                   .d = static_cast<int>(d),
                                   .epsilon = kEpsilon,
                                   .reserved = 0};
      launch_kernel("belay_layer_norm", params, {5}, options);
      CHECK(std::ranges::equal(x.bytes(), bytes_of(rows.sum)));
      expect_near(expected, y.floats(), 1e-5);
      return joined({&y});
    });
  }
}

TEST_CASE("rms_norm quantises its output as the quantising kernel would, with and without the floats") {
  for (const std::string name : {"belay_rms_norm", "belay_rms_norm_short"}) {
    for (const std::size_t d : {32, 96, 576, 1056}) {
      constexpr std::size_t kRows = 3;
      const Rows rows = make_rows(kRows, d);
      const std::size_t blocks = kRows * d / 32;
      const auto run = [&](const emulator::Options& options, bool floats_too) {
        const GuardedMemory x(rows.x);
        const GuardedMemory weight(rows.weight);
        const GuardedMemory y(rows.x.size() * sizeof(float));
        const GuardedMemory low(16 * blocks);
        const GuardedMemory high(16 * blocks);
        const GuardedMemory scales(8 * blocks);
        RmsNormParams params = rms_params({.tokens = kRows, .d = d});
        params.x = x.as<float>();
        params.weight = weight.as<float>();
        params.y = floats_too ? y.as<float>() : nullptr;
        params.low = low.as<signed char>();
        params.high = high.as<signed char>();
        params.scales = scales.as<float>();
        launch_rms(name, params, options);
        auto fused = joined({&low, &high, &scales});
        if (!floats_too) return fused;
        const GuardedMemory low_after(16 * blocks);
        const GuardedMemory high_after(16 * blocks);
        const GuardedMemory scales_after(8 * blocks);
        const LinearQuantiseParams quantise{.x = y.as<float>(),
                                            .low = low_after.as<signed char>(),
                                            .high = high_after.as<signed char>(),
                                            .scales = scales_after.as<float>(),
                                            .blocks = static_cast<long long>(blocks)};
        launch_kernel("belay_linear_quantise", quantise, {blocks_of(blocks, BELAY_LINEAR_QUANTISE_BLOCKS)},
                      options);
        CHECK(fused == joined({&low_after, &high_after, &scales_after}));
        return fused;
      };
      const auto both =
          in_every_schedule(name, [&](const emulator::Options& options) { return run(options, true); });
      const auto alone =
          in_every_schedule(name, [&](const emulator::Options& options) { return run(options, false); });
      CHECK(both == alone);
    }
  }
}

}  // namespace
}  // namespace belay::cuda_tests
