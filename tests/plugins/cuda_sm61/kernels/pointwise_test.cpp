// The kernels of pointwise.cu: the operators, in place, and quantised.
#include "plugins/cuda_sm61/kernels/linear_params.h"
#include "plugins/cuda_sm61/kernels/pointwise_params.h"
#include "tests/kernels/cases.hpp"
#include "tests/plugins/cuda_sm61/kernels/emulated.hpp"
#include "tests/support/doctest.hpp"

namespace belay::cuda_tests {
namespace {

using kernel_tests::Fill;
using kernel_tests::OpCase;

constexpr Fill kFills[] = {Fill::kNormal, Fill::kTiny, Fill::kHuge, Fill::kDenormal,
                           Fill::kMixed,  Fill::kZero, Fill::kNan,  Fill::kInfinity};
constexpr std::size_t kCounts[] = {1, 2, 3, 4, 5, 127, 128, 1023, 1025, 4096, 5003};

long long count_of(std::size_t tokens, std::size_t n) {
  const std::size_t count = tokens * n;
  return static_cast<long long>(count);
}

// Grids of which every thread has several steps, just one, or, for the last ones, none.
std::vector<emulator::Extent> grids(std::size_t count) {
  return {{1}, {blocks_of(count, 1024)}, {blocks_of(count, 1024) + 1}};
}

void check_add(std::size_t tokens, std::size_t n, Fill fill) {
  const OpCase op_case = kernel_tests::add_case(tokens, n, fill, new_seed());
  for (const emulator::Extent grid : grids(tokens * n)) {
    expect_right(op_case, "belay_add", [&](const Operands& operands, const emulator::Options& options) {
      const AddParams params{.a = operands.input<float>(0),
                             .b = operands.input<float>(1),
                             .y = operands.output<float>(0),
                             .count = count_of(tokens, n)};
      launch_kernel("belay_add", params, grid, options);
    });
  }
}

void check_silu_mul(std::size_t tokens, std::size_t n, Fill fill) {
  const OpCase op_case = kernel_tests::silu_mul_case(tokens, n, fill, new_seed());
  for (const emulator::Extent grid : grids(tokens * n)) {
    expect_right(op_case, "belay_silu_mul", [&](const Operands& operands, const emulator::Options& options) {
      SiluMulParams params{};
      params.gate = operands.input<float>(0);
      params.up = operands.input<float>(1);
      params.y = operands.output<float>(0);
      params.count = count_of(tokens, n);
      launch_kernel("belay_silu_mul", params, grid, options);
    });
  }
}

void check_gelu(std::int32_t form, std::size_t tokens, std::size_t n, Fill fill) {
  const OpCase op_case = kernel_tests::gelu_case(form, tokens, n, fill, new_seed());
  for (const emulator::Extent grid : grids(tokens * n)) {
    expect_right(op_case, "belay_gelu", [&](const Operands& operands, const emulator::Options& options) {
      GeluParams params{};
      params.x = operands.input<float>(0);
      params.y = operands.output<float>(0);
      params.count = count_of(tokens, n);
      params.tanh_form = form == BELAY_GELU_TANH ? 1 : 0;
      launch_kernel("belay_gelu", params, grid, options);
    });
  }
}

void check_all(std::size_t tokens, std::size_t n, Fill fill) {
  check_add(tokens, n, fill);
  check_silu_mul(tokens, n, fill);
  check_gelu(BELAY_GELU_ERF, tokens, n, fill);
  check_gelu(BELAY_GELU_TANH, tokens, n, fill);
}

TEST_CASE("pointwise: every length, with tails of all sizes") {
  for (const std::size_t n : kCounts) check_all(1, n, Fill::kNormal);
  check_all(3, 341, Fill::kNormal);
}

TEST_CASE("pointwise: values at which kernels break") {
  for (const Fill fill : kFills) check_all(2, 133, fill);
}

TEST_CASE("add may write where it reads") {
  kernel_tests::Random random(new_seed());
  const auto a = kernel_tests::make_floats(random, Fill::kNormal, 1001, 1001);
  const auto b = kernel_tests::make_floats(random, Fill::kNormal, 1001, 1001);
  for (const bool into_a : {true, false}) {
    in_every_schedule("add in place", [&](const emulator::Options& options) {
      const GuardedMemory left(a);
      const GuardedMemory right(b);
      const GuardedMemory& to = into_a ? left : right;
      launch_kernel("belay_add", AddParams{left.as<float>(), right.as<float>(), to.as<float>(), 1001}, {1},
                    options);
      const auto sums = to.floats();
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < a.size(); ++i) wrong += sums[i] != a[i] + b[i] ? 1 : 0;
      CHECK(wrong == 0);
      return joined({&to});
    });
  }
}

// What a launch that writes floats and quants writes, and the quants of a launch without floats.
struct Quants {
  std::size_t blocks;
  GuardedMemory low{16 * blocks};
  GuardedMemory high{16 * blocks};
  GuardedMemory scales{8 * blocks};
  [[nodiscard]] std::vector<std::uint8_t> bytes() const { return joined({&low, &high, &scales}); }
};

template <class Params>
std::vector<std::uint8_t> quantised(const std::string& kernel, Params params,
                                    const emulator::Options& options) {
  const auto count = static_cast<std::size_t>(params.count);
  const Quants alone{count / 32};
  const Quants beside{count / 32};
  const Quants after{count / 32};
  const GuardedMemory y(count * sizeof(float));
  const auto launch = [&](const Quants& to, float* floats) {
    params.y = floats;
    params.low = to.low.template as<signed char>();
    params.high = to.high.template as<signed char>();
    params.scales = to.scales.template as<float>();
    launch_kernel(kernel, params, {2}, options);
  };
  launch(alone, nullptr);
  launch(beside, y.as<float>());
  const LinearQuantiseParams quantise{y.as<float>(), after.low.as<signed char>(),
                                      after.high.as<signed char>(), after.scales.as<float>(),
                                      static_cast<long long>(after.blocks)};
  launch_kernel("belay_linear_quantise", quantise, {blocks_of(after.blocks, BELAY_LINEAR_QUANTISE_BLOCKS)},
                options);
  CHECK(alone.bytes() == after.bytes());
  CHECK(beside.bytes() == after.bytes());
  return alone.bytes();
}

TEST_CASE("silu_mul and gelu quantise their outputs as the quantising kernel would") {
  kernel_tests::Random random(new_seed());
  for (const std::size_t count : {32, 96, 1056, 4096}) {
    const auto gate = kernel_tests::make_floats(random, Fill::kNormal, count, count);
    const auto up = kernel_tests::make_floats(random, Fill::kNormal, count, count);
    in_every_schedule("quantised", [&](const emulator::Options& options) {
      const GuardedMemory gates(gate);
      const GuardedMemory ups(up);
      SiluMulParams silu{};
      silu.gate = gates.as<float>();
      silu.up = ups.as<float>();
      silu.count = static_cast<long long>(count);
      auto bytes = quantised("belay_silu_mul", silu, options);
      GeluParams gelu{};
      gelu.x = gates.as<float>();
      gelu.count = static_cast<long long>(count);
      const auto more = quantised("belay_gelu", gelu, options);
      bytes.insert(bytes.end(), more.begin(), more.end());
      return bytes;
    });
  }
}

}  // namespace
}  // namespace belay::cuda_tests
