#include "core/base/format.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/reference/ops.hpp"

#include <algorithm>
#include <cmath>

namespace belay::kernel_tests {
namespace {

reference::Rope rope_of(const RopeShape& shape) {
  return {.adjacent = shape.style == BELAY_ROPE_ADJACENT,
          .theta = static_cast<double>(shape.theta),
          .position_scale = static_cast<double>(shape.position_scale),
          .rotary_dim = shape.rotary_dim,
          .interleaved = shape.interleaved,
          .sections = shape.sections};
}

std::size_t axes_of(const RopeShape& shape) {
  return static_cast<std::size_t>(4 - std::count(shape.sections.begin(), shape.sections.end(), 0U));
}

// A turned element may be wrong by a share of its pair's length: 2e-6 near position 0, growing with the
// angle's own rounding, never above 1e-4. What does not turn is copied exactly.
void add_tolerances(const RopeShape& shape, const std::vector<double>& x,
                    const std::vector<std::int32_t>& positions, Expectation& expected) {
  const reference::Rope rope = rope_of(shape);
  const std::size_t pairs = shape.rotary_dim / 2;
  expected.tolerances.assign(x.size(), 0.0);
  expected.may_be_non_finite.assign(x.size(), false);
  for (std::size_t row = 0; row < shape.tokens * shape.heads; ++row) {
    for (std::size_t i = 0; i < pairs; ++i) {
      const double p = positions[reference::rope_axis(rope, i) * shape.tokens + row / shape.heads];
      const std::size_t first = row * shape.d + (rope.adjacent ? 2 * i : i);
      const std::size_t second = row * shape.d + (rope.adjacent ? 2 * i + 1 : i + pairs);
      const double length = std::hypot(x[first], x[second]);
      const double share = std::min(1e-4, 2e-6 + std::fabs(p) * 0x1p-23);
      expected.tolerances[first] = expected.tolerances[second] = share * length + 0x1p-148;
      expected.may_be_non_finite[first] = expected.may_be_non_finite[second] = !std::isfinite(length);
    }
  }
}

}  // namespace

OpCase rope_case(const RopeShape& shape, Fill fill, std::uint64_t seed) {
  Random random(seed);
  const std::size_t axes = std::max<std::size_t>(axes_of(shape), 1);
  const bool several = axes_of(shape) != 0;
  const auto x = make_floats(random, fill, shape.tokens * shape.heads * shape.d, shape.d);
  std::vector<std::int32_t> positions(axes * shape.tokens);
  for (std::int32_t& p : positions)
    p = 1 + static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(shape.max_position)));
  if (fill == Fill::kNormal && !positions.empty()) positions[0] = 0;
  std::vector<float> factors(shape.freq_factors ? shape.rotary_dim / 2 : 0);
  for (float& factor : factors) factor = static_cast<float>(1.0 + 7.0 * random.unit());

  const auto m = static_cast<std::int64_t>(shape.tokens);
  const std::vector<std::int64_t> sizes = {m, static_cast<std::int64_t>(shape.heads),
                                           static_cast<std::int64_t>(shape.d)};
  belay_rope_attributes_t attributes{};
  attributes.style = shape.style;
  attributes.theta = shape.theta;
  attributes.position_scale = shape.position_scale;
  attributes.rotary_dim = static_cast<std::uint32_t>(shape.rotary_dim);
  attributes.interleaved = shape.interleaved ? 1 : 0;
  std::copy(shape.sections.begin(), shape.sections.end(), attributes.sections);

  OpCase op_case;
  op_case.op = BELAY_OP_ROPE;
  op_case.attributes = attribute_bytes(attributes);
  op_case.inputs.push_back(float_operand(x, sizes, 0));
  Operand position_operand{.dtype = DType::kI32,
                           .shape = {m},
                           .token_axis = 0,
                           .bytes = to_bytes(std::span<const std::int32_t>(positions))};
  if (several) {
    position_operand.shape = {static_cast<std::int64_t>(axes), m};
    position_operand.token_axis = 1;
  }
  op_case.inputs.push_back(std::move(position_operand));
  if (shape.freq_factors)
    op_case.constants.push_back(float_operand(factors, {static_cast<std::int64_t>(factors.size())}, -1));
  op_case.outputs.push_back(float_output(sizes, 0));
  op_case.tokens = shape.tokens;
  op_case.seed = seed;
  op_case.label = fmt::format(
      "rope M={} heads={} D={} rotary={} style={} theta={} scale={} factors={} interleaved={} "
      "sections={},{},{},{} p<={} x={} seed={}",
      shape.tokens, shape.heads, shape.d, shape.rotary_dim, shape.style, shape.theta, shape.position_scale,
      shape.freq_factors, shape.interleaved, shape.sections[0], shape.sections[1], shape.sections[2],
      shape.sections[3], shape.max_position, to_string(fill), seed);

  const auto exact = to_doubles(x);
  Expectation expected{"rope",
                       reference::rope(rope_of(shape), exact, shape.heads, shape.d, positions, shape.tokens,
                                       to_doubles(factors)),
                       {},
                       {}};
  add_tolerances(shape, exact, positions, expected);
  op_case.expected.push_back({std::move(expected)});
  return op_case;
}

}  // namespace belay::kernel_tests
