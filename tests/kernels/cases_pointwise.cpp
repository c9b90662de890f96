// silu_mul, gelu and add.
#include "core/base/format.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/reference/ops.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace belay::kernel_tests {
namespace {

constexpr double kSmallest = 0x1p-149;

OpCase pointwise_case(const char* op, std::size_t tokens, std::size_t n,
                      const std::vector<std::vector<float>>& inputs) {
  OpCase op_case;
  op_case.op = op;
  const std::vector<std::int64_t> sizes = {static_cast<std::int64_t>(tokens), static_cast<std::int64_t>(n)};
  for (const auto& input : inputs) op_case.inputs.push_back(float_operand(input, sizes, 0));
  op_case.outputs.push_back(float_output(sizes, 0));
  op_case.tokens = tokens;
  return op_case;
}

void finish(OpCase& op_case, Fill fill, std::size_t n, std::uint64_t seed, Expectation expected) {
  op_case.seed = seed;
  op_case.label =
      fmt::format("{} M={} N={} x={} seed={}", op_case.op, op_case.tokens, n, to_string(fill), seed);
  for (const double value : expected.values) {
    expected.may_be_non_finite.push_back(
        !(std::fabs(value) < static_cast<double>(std::numeric_limits<float>::max())));
  }
  op_case.expected.push_back({std::move(expected)});
}

// An activation function may be wrong by 1e-6 or by 4 units in the last place, whichever is more.
double function_tolerance(double value) { return std::max(1e-6, 4.0 * 0x1p-23 * std::fabs(value)); }

// The curve's interesting part, and the far ends where exp over- and underflows.
void spread(std::vector<float>& x) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] *= i % 5 == 0 ? 40.0F : 3.0F;
}

}  // namespace

OpCase silu_mul_case(std::size_t tokens, std::size_t n, Fill fill, std::uint64_t seed) {
  Random random(seed);
  auto gate = make_floats(random, fill, tokens * n, n);
  if (fill == Fill::kNormal) spread(gate);
  const auto up = make_floats(random, Fill::kNormal, tokens * n, n);
  OpCase op_case = pointwise_case(BELAY_OP_SILU_MUL, tokens, n, {gate, up});
  Expectation expected{"silu_mul", reference::silu_mul(to_doubles(gate), to_doubles(up)), {}, {}};
  for (std::size_t i = 0; i < gate.size(); ++i) {
    const double factor = std::fabs(static_cast<double>(up[i]));
    expected.tolerances.push_back(function_tolerance(reference::silu(static_cast<double>(gate[i]))) * factor +
                                  kSmallest);
  }
  finish(op_case, fill, n, seed, std::move(expected));
  return op_case;
}

OpCase gelu_case(std::int32_t form, std::size_t tokens, std::size_t n, Fill fill, std::uint64_t seed) {
  Random random(seed);
  auto x = make_floats(random, fill, tokens * n, n);
  if (fill == Fill::kNormal) spread(x);
  OpCase op_case = pointwise_case(BELAY_OP_GELU, tokens, n, {x});
  op_case.attributes = attribute_bytes(belay_gelu_attributes_t{.struct_size = 0, .form = form});
  Expectation expected{form == BELAY_GELU_ERF ? "gelu erf" : "gelu tanh", {}, {}, {}};
  for (const float value : x) {
    const auto exact = static_cast<double>(value);
    expected.values.push_back(form == BELAY_GELU_ERF ? reference::gelu_erf(exact)
                                                     : reference::gelu_tanh(exact));
    expected.tolerances.push_back(function_tolerance(expected.values.back()));
  }
  finish(op_case, fill, n, seed, std::move(expected));
  return op_case;
}

OpCase add_case(std::size_t tokens, std::size_t n, Fill fill, std::uint64_t seed) {
  Random random(seed);
  const auto a = make_floats(random, fill, tokens * n, n);
  const auto b = make_floats(random, fill == Fill::kNan || fill == Fill::kInfinity ? Fill::kNormal : fill,
                             tokens * n, n);
  OpCase op_case = pointwise_case(BELAY_OP_ADD, tokens, n, {a, b});
  Expectation expected{"add", reference::add(to_doubles(a), to_doubles(b)), {}, {}};
  // Correctly rounded: half a unit in the last place.
  for (const double value : expected.values)
    expected.tolerances.push_back(std::fabs(value) * 0x1p-24 + 0x1p-150);
  finish(op_case, fill, n, seed, std::move(expected));
  return op_case;
}

}  // namespace belay::kernel_tests
