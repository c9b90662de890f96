// linear and embed: weights of every type.
#include "core/base/format.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/reference/ops.hpp"
#include "tests/reference/quant.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace belay::kernel_tests {
namespace {

constexpr double kSmallest = 0x1p-149;  // a float's last denormal bit
constexpr double kFloatMax = std::numeric_limits<float>::max();

bool is_quantised(DType dtype) { return info(dtype).block_elems > 1; }

// y's error bound: gamma = 4 sqrt(K) 2^-24 relative to sum|x||w|, the error of a sum of K rounded products in
// any reasonable order, and a few denormal bits for each product.
Expectation expect_linear(const char* name, const std::vector<double>& x, const std::vector<double>& doubt,
                          const reference::Dequantised& weight, const std::vector<double>& bias,
                          const reference::LinearSize& size) {
  Expectation expected{name, reference::linear(x, weight.values, bias, size), {}, {}};
  const auto magnitudes =
      reference::linear(reference::absolute(x), weight.magnitudes, reference::absolute(bias), size);
  const auto doubts = reference::linear(doubt, weight.magnitudes, {}, size);
  const double gamma = 4.0 * std::sqrt(static_cast<double>(size.k)) * 0x1p-24;
  for (std::size_t i = 0; i < magnitudes.size(); ++i) {
    expected.tolerances.push_back(gamma * magnitudes[i] + doubts[i] +
                                  4.0 * static_cast<double>(size.k) * kSmallest);
    expected.may_be_non_finite.push_back(!(magnitudes[i] < kFloatMax));
  }
  return expected;
}

}  // namespace

OpCase linear_case(DType weight, std::int32_t numerics, const LinearShape& shape, Fill fill,
                   WeightFill weights, std::uint64_t seed) {
  Random random(seed);
  const auto& [tokens, k, n, has_bias] = shape;
  const auto x = make_floats(random, fill, tokens * k, k);
  const auto weight_bytes = make_weights(random, weight, weights, n, k);
  const auto bias = has_bias ? make_floats(random, Fill::kNormal, n, n) : std::vector<float>{};
  const auto m = static_cast<std::int64_t>(tokens);

  OpCase op_case;
  op_case.op = BELAY_OP_LINEAR;
  op_case.attributes = attribute_bytes(belay_linear_attributes_t{.struct_size = 0, .numerics = numerics});
  op_case.inputs.push_back(float_operand(x, {m, static_cast<std::int64_t>(k)}, 0));
  op_case.constants.push_back({.dtype = weight,
                               .shape = {static_cast<std::int64_t>(n), static_cast<std::int64_t>(k)},
                               .bytes = weight_bytes});
  if (has_bias) op_case.constants.push_back(float_operand(bias, {static_cast<std::int64_t>(n)}, -1));
  if (!has_bias && seed % 3 == 0) op_case.constants.emplace_back();  // the other way to say "no bias"
  op_case.outputs.push_back(float_output({m, static_cast<std::int64_t>(n)}, 0));
  op_case.tokens = tokens;
  op_case.seed = seed;
  op_case.label =
      fmt::format("linear {} numerics {} M={} K={} N={} bias={} x={} w={} seed={}", to_string(weight),
                  numerics, tokens, k, n, has_bias, to_string(fill), to_string(weights), seed);

  const reference::Dequantised decoded = reference::dequantise(weight, weight_bytes);
  const std::vector<double> exact = to_doubles(x);
  const reference::LinearSize size{tokens, n, k};
  const std::vector<double> no_doubt(exact.size(), 0.0);
  std::vector<Expectation> alternatives = {
      expect_linear("f32 activations", exact, no_doubt, decoded, to_doubles(bias), size)};
  if (numerics == BELAY_NUMERICS_ACT_Q8 && is_quantised(weight)) {
    const auto quantised = reference::quantise_activations(exact, k);
    const reference::Dequantised split{decoded.values, decoded.split_magnitudes, {}};
    alternatives.push_back(
        expect_linear("q8 activations", quantised.values, quantised.doubt, split, to_doubles(bias), size));
    const bool enough = tokens * n >= 64 && fill == Fill::kNormal && weights == WeightFill::kNormal;
    if (enough) op_case.nmse_reference = alternatives[0].values;
    op_case.nmse_limit = 5e-4;
  }
  if (numerics == BELAY_NUMERICS_ACT_Q16 && is_quantised(weight)) {
    const reference::Dequantised split{decoded.values, decoded.split_magnitudes, {}};
    alternatives.push_back(expect_linear("q16 activations", exact, reference::q16_doubt(exact, k), split,
                                         to_doubles(bias), size));
  }
  op_case.expected.push_back(std::move(alternatives));
  return op_case;
}

OpCase embed_case(DType table, std::size_t tokens, std::size_t width, std::size_t vocab, WeightFill fill,
                  std::uint64_t seed) {
  Random random(seed);
  const auto table_bytes = make_weights(random, table, fill, vocab, width);
  std::vector<std::int32_t> ids(tokens);
  for (std::int32_t& id : ids) id = static_cast<std::int32_t>(random.below(vocab));
  if (tokens > 1) ids.back() = static_cast<std::int32_t>(vocab - 1);
  if (tokens > 2) ids[1] = -1;  // the place of an image
  const auto m = static_cast<std::int64_t>(tokens);

  OpCase op_case;
  op_case.op = BELAY_OP_EMBED;
  op_case.inputs.push_back({.dtype = DType::kI32,
                            .shape = {m},
                            .token_axis = 0,
                            .bytes = to_bytes(std::span<const std::int32_t>(ids))});
  op_case.constants.push_back({.dtype = table,
                               .shape = {static_cast<std::int64_t>(vocab), static_cast<std::int64_t>(width)},
                               .bytes = table_bytes});
  op_case.outputs.push_back(float_output({m, static_cast<std::int64_t>(width)}, 0));
  op_case.tokens = tokens;
  op_case.seed = seed;
  op_case.label = fmt::format("embed {} M={} width={} vocab={} table={} seed={}", to_string(table), tokens,
                              width, vocab, to_string(fill), seed);

  const reference::Dequantised decoded = reference::dequantise(table, table_bytes);
  Expectation expected{"rows of the table", reference::embed(decoded.values, width, ids), {}, {}};
  for (const double magnitude : reference::embed(decoded.magnitudes, width, ids)) {
    expected.tolerances.push_back(0x1p-23 * magnitude);  // two rounded operations: scale * q, + minimum
  }
  expected.may_be_non_finite.assign(expected.values.size(), false);
  op_case.expected.push_back({std::move(expected)});
  return op_case;
}

}  // namespace belay::kernel_tests
