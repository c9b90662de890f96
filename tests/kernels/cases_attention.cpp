// kv_write and attention: the operators over the KV cache [kv_heads, blocks, 64, D].
#include "core/base/format.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/reference/ops.hpp"
#include "tests/reference/quant.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace belay::kernel_tests {
namespace {

std::size_t blocks_of(const CacheShape& shape) {
  return (shape.position + shape.tokens) / BELAY_KV_BLOCK + 1;
}

// 32 values as a block of Q8_0, by the rule of the SDK's op.h.
void encode_q8(std::span<const float> x, std::uint8_t* to) {
  float top = 0.0F;
  bool finite = true;
  for (const float value : x) {
    top = std::max(top, std::fabs(value));
    finite = finite && std::isfinite(value);
  }
  const float scale = finite ? top / 127.0F : std::numeric_limits<float>::quiet_NaN();
  const std::uint16_t half = reference::double_to_half(static_cast<double>(scale));
  std::memcpy(to, &half, sizeof half);
  const float steps = finite && half != 0 ? 127.0F / top : 0.0F;
  for (std::size_t i = 0; i < x.size(); ++i)
    to[2 + i] = static_cast<std::uint8_t>(finite ? static_cast<int>(std::nearbyint(x[i] * steps)) : 0);
}

std::vector<std::uint8_t> encode(DType dtype, std::span<const float> values) {
  if (dtype == DType::kF32) return to_bytes(values);
  if (dtype == DType::kQ8_0) {
    std::vector<std::uint8_t> blocks(values.size() / 32 * 34);
    for (std::size_t i = 0; i < values.size() / 32; ++i)
      encode_q8(values.subspan(32 * i, 32), blocks.data() + 34 * i);
    return blocks;
  }
  std::vector<std::uint8_t> bytes(values.size() * 2);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t half = reference::double_to_half(static_cast<double>(values[i]));
    std::memcpy(bytes.data() + 2 * i, &half, sizeof half);
  }
  return bytes;
}

Operand cache_operand(const CacheShape& shape, std::span<const float> values) {
  return {.dtype = shape.dtype,
          .shape = {static_cast<std::int64_t>(shape.kv_heads), static_cast<std::int64_t>(blocks_of(shape)),
                    BELAY_KV_BLOCK, static_cast<std::int64_t>(shape.d)},
          .bytes = encode(shape.dtype, values)};
}

std::string describe_shape(const char* op, const CacheShape& shape, Fill fill, std::uint64_t seed) {
  return fmt::format("{} {} M={} heads={} kv_heads={} D={} position={} causal={} x={} seed={}", op,
                     to_string(shape.dtype), shape.tokens, shape.heads, shape.kv_heads, shape.d,
                     shape.position, shape.causal, to_string(fill), seed);
}

// The cache after the write, to the last bit.
Expectation expect_cache(const CacheShape& shape, const Operand& before, std::span<const float> x) {
  Expectation expected{"cache", reference::dequantise(shape.dtype, before.bytes).values, {}, {}};
  const auto rounded = reference::dequantise(shape.dtype, encode(shape.dtype, x)).values;
  reference::kv_write(rounded, shape.kv_heads, shape.d, shape.position, expected.values);
  expected.tolerances.assign(expected.values.size(), 0.0);
  expected.may_be_non_finite.assign(expected.values.size(), false);
  return expected;
}

}  // namespace

CacheShape whole_blocks(CacheShape shape) {
  if (shape.dtype == DType::kQ8_0) shape.d = (shape.d + 31) / 32 * 32;
  return shape;
}

OpCase kv_write_case(const CacheShape& shape, Fill fill, std::uint64_t seed) {
  Random random(seed);
  const std::size_t count = shape.tokens * shape.kv_heads * shape.d;
  const std::size_t cache_count = shape.kv_heads * blocks_of(shape) * BELAY_KV_BLOCK * shape.d;
  const std::vector<std::int64_t> sizes = {static_cast<std::int64_t>(shape.tokens),
                                           static_cast<std::int64_t>(shape.kv_heads),
                                           static_cast<std::int64_t>(shape.d)};
  OpCase op_case;
  op_case.op = BELAY_OP_KV_WRITE;
  for (int i = 0; i < 2; ++i) {
    const auto x = make_floats(random, fill, count, shape.d);
    op_case.inputs.push_back(float_operand(x, sizes, 0));
    op_case.outputs.push_back(
        cache_operand(shape, make_floats(random, Fill::kNormal, cache_count, cache_count)));
    op_case.expected.push_back({expect_cache(shape, op_case.outputs.back(), x)});
  }
  op_case.tokens = shape.tokens;
  op_case.position = shape.position;
  op_case.seed = seed;
  op_case.label = describe_shape("kv_write", shape, fill, seed);
  return op_case;
}

namespace {

// Keys or values at positions that some query sees; NaN everywhere else.
std::vector<float> make_cache(Random& random, const CacheShape& shape, double scale) {
  const std::size_t blocks = blocks_of(shape);
  std::vector<float> cache(shape.kv_heads * blocks * BELAY_KV_BLOCK * shape.d,
                           std::numeric_limits<float>::quiet_NaN());
  for (std::size_t head = 0; head < shape.kv_heads; ++head) {
    for (std::size_t p = 0; p < shape.position + shape.tokens; ++p) {
      const std::size_t at = reference::cache_index(head, p, blocks, shape.d);
      for (std::size_t i = 0; i < shape.d; ++i) cache[at + i] = static_cast<float>(scale * random.normal());
    }
  }
  return cache;
}

// Rounding of scores moves a weight by a share of the score's size; everything is relative to the largest
// value seen.
void add_tolerances(const CacheShape& shape, const std::vector<double>& q, const std::vector<double>& v,
                    bool bad_key, const reference::AttentionResult& result, Expectation& expected) {
  double largest = 0.0;
  for (const double value : v) largest = std::isfinite(value) ? std::max(largest, std::fabs(value)) : largest;
  for (std::size_t row = 0; row < shape.tokens * shape.heads; ++row) {
    const bool tainted = bad_key || !all_finite(std::span(q).subspan(row * shape.d, shape.d));
    const double gamma = 4.0 * std::sqrt(static_cast<double>(shape.d)) * 0x1p-24;
    const double score = result.score_magnitude[row];
    const double tolerance = (2e-5 + gamma * (std::isfinite(score) ? score : 0.0)) * largest;
    expected.tolerances.insert(expected.tolerances.end(), shape.d, tolerance);
    expected.may_be_non_finite.insert(expected.may_be_non_finite.end(), shape.d, tainted);
  }
}

}  // namespace

OpCase attention_case(const CacheShape& shape, Fill fill, bool bad_key, std::uint64_t seed) {
  Random random(seed);
  const bool poisoned = fill == Fill::kNan || fill == Fill::kInfinity;
  const auto q = make_floats(random, bad_key && poisoned ? Fill::kNormal : fill,
                             shape.tokens * shape.heads * shape.d, shape.d);
  auto k = make_cache(random, shape, fill == Fill::kMixed ? 30.0 : 1.0);
  const auto v = make_cache(random, shape, 1.0);
  if (bad_key && poisoned && shape.tokens != 0) {
    const float bad =
        fill == Fill::kNan ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
    k[reference::cache_index(0, random.below(shape.position + 1), blocks_of(shape), shape.d)] = bad;
  }
  const float scale = 1.0F / std::sqrt(static_cast<float>(shape.d));
  const std::vector<std::int64_t> sizes = {static_cast<std::int64_t>(shape.tokens),
                                           static_cast<std::int64_t>(shape.heads),
                                           static_cast<std::int64_t>(shape.d)};
  belay_attention_attributes_t attributes{};
  attributes.mask = shape.causal ? BELAY_MASK_CAUSAL : BELAY_MASK_NONE;
  attributes.scale = scale;

  OpCase op_case;
  op_case.op = BELAY_OP_ATTENTION;
  op_case.attributes = attribute_bytes(attributes);
  op_case.inputs = {float_operand(q, sizes, 0), cache_operand(shape, k), cache_operand(shape, v)};
  op_case.outputs.push_back(float_output(sizes, 0));
  op_case.tokens = shape.tokens;
  op_case.position = shape.position;
  op_case.seed = seed;
  op_case.label = describe_shape("attention", shape, fill, seed) + (bad_key ? " bad_key" : "");

  const reference::Attention spec{.causal = shape.causal,
                                  .scale = static_cast<double>(scale),
                                  .heads = shape.heads,
                                  .kv_heads = shape.kv_heads,
                                  .d = shape.d,
                                  .position = shape.position};
  const auto k_exact = reference::dequantise(shape.dtype, op_case.inputs[1].bytes).values;
  const auto v_exact = reference::dequantise(shape.dtype, op_case.inputs[2].bytes).values;
  const auto result = reference::attention(spec, to_doubles(q), k_exact, v_exact);
  Expectation expected{"attention", result.output, {}, {}};
  add_tolerances(shape, to_doubles(q), v_exact, bad_key && poisoned, result, expected);
  op_case.expected.push_back({std::move(expected)});
  return op_case;
}

}  // namespace belay::kernel_tests
