#include "core/base/format.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/reference/ops.hpp"

#include <algorithm>
#include <cmath>

namespace belay::kernel_tests {
namespace {

constexpr double kRelative = 2e-6;

OpCase norm_case(const char* op, const NormShape& shape, float epsilon, std::span<const float> x) {
  OpCase op_case;
  std::vector<std::int64_t> sizes = {static_cast<std::int64_t>(shape.tokens)};
  if (shape.heads != 0) sizes.push_back(static_cast<std::int64_t>(shape.heads));
  sizes.push_back(static_cast<std::int64_t>(shape.d));
  op_case.op = op;
  op_case.attributes = attribute_bytes(belay_norm_attributes_t{.struct_size = 0, .epsilon = epsilon});
  op_case.inputs.push_back(float_operand(x, sizes, 0));
  op_case.outputs.push_back(float_output(sizes, 0));
  op_case.tokens = shape.tokens;
  return op_case;
}

// A row that holds a NaN or an infinity may be non-finite as a whole.
std::vector<bool> tainted_rows(const std::vector<double>& x, std::size_t d) {
  std::vector<bool> tainted;
  for (std::size_t row = 0; row < x.size(); row += d) {
    tainted.insert(tainted.end(), d, !all_finite(std::span(x).subspan(row, d)));
  }
  return tainted;
}

std::size_t rows_of(const NormShape& shape) { return shape.tokens * std::max<std::size_t>(shape.heads, 1); }

}  // namespace

OpCase rms_norm_case(const NormShape& shape, float epsilon, Fill fill, std::uint64_t seed) {
  Random random(seed);
  const auto x = make_floats(random, fill, rows_of(shape) * shape.d, shape.d);
  const auto weight = make_floats(random, Fill::kNormal, shape.d, shape.d);
  OpCase op_case = norm_case(BELAY_OP_RMS_NORM, shape, epsilon, x);
  op_case.constants.push_back(float_operand(weight, {static_cast<std::int64_t>(shape.d)}, -1));
  op_case.seed = seed;
  op_case.label = fmt::format("rms_norm M={} heads={} D={} eps={} x={} seed={}", shape.tokens, shape.heads,
                              shape.d, epsilon, to_string(fill), seed);

  Expectation expected{"rms_norm",
                       reference::rms_norm(to_doubles(x), to_doubles(weight), static_cast<double>(epsilon)),
                       {},
                       {}};
  for (const double value : expected.values)
    expected.tolerances.push_back(kRelative * std::fabs(value) + 0x1p-148);
  expected.may_be_non_finite = tainted_rows(to_doubles(x), shape.d);
  op_case.expected.push_back({std::move(expected)});
  return op_case;
}

OpCase layer_norm_case(const NormShape& shape, float epsilon, Fill fill, std::uint64_t seed) {
  Random random(seed);
  auto x = make_floats(random, fill, rows_of(shape) * shape.d, shape.d);
  if (seed % 2 == 0 && fill == Fill::kNormal) {
    for (float& value : x) value += 30.0F;  // a mean far from 0: E[x^2] - mean^2 would cancel
  }
  const auto weight = make_floats(random, Fill::kNormal, shape.d, shape.d);
  const auto bias = make_floats(random, Fill::kNormal, shape.d, shape.d);
  OpCase op_case = norm_case(BELAY_OP_LAYER_NORM, shape, epsilon, x);
  op_case.constants.push_back(float_operand(weight, {static_cast<std::int64_t>(shape.d)}, -1));
  op_case.constants.push_back(float_operand(bias, {static_cast<std::int64_t>(shape.d)}, -1));
  op_case.seed = seed;
  op_case.label = fmt::format("layer_norm M={} heads={} D={} eps={} x={} seed={}", shape.tokens, shape.heads,
                              shape.d, epsilon, to_string(fill), seed);

  const auto w = to_doubles(weight);
  const auto b = to_doubles(bias);
  const auto exact = to_doubles(x);
  Expectation expected{
      "layer_norm", reference::layer_norm(exact, w, b, static_cast<double>(epsilon)), {}, {}};
  // Relative to the parts before they cancel: |x - mean| may be far smaller than |x| and |mean|.
  const std::vector<double> zeros(shape.d, 0.0);
  for (std::size_t row = 0; row < exact.size(); row += shape.d) {
    const std::span<const double> values = std::span(exact).subspan(row, shape.d);
    const auto ones = std::vector<double>(shape.d, 1.0);
    const auto normalised = reference::layer_norm(values, ones, zeros, static_cast<double>(epsilon));
    double mean = 0.0;
    for (const double value : values) mean += value / static_cast<double>(shape.d);
    double squares = static_cast<double>(epsilon);
    for (const double value : values)
      squares += (value - mean) * (value - mean) / static_cast<double>(shape.d);
    for (std::size_t i = 0; i < shape.d; ++i) {
      const double parts =
          (std::fabs(values[i]) + std::fabs(mean)) / std::sqrt(squares) + std::fabs(normalised[i]);
      expected.tolerances.push_back(kRelative * (parts * std::fabs(w[i]) + std::fabs(b[i])) + 0x1p-148);
    }
  }
  expected.may_be_non_finite = tainted_rows(exact, shape.d);
  op_case.expected.push_back({std::move(expected)});
  return op_case;
}

}  // namespace belay::kernel_tests
