#include "core/registry/known_cases.hpp"

#include "core/base/half.hpp"
#include "core/memory/tensor.hpp"
#include "core/registry/known_weights.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <span>

namespace belay::registry {
namespace {

using Shape = std::initializer_list<std::int64_t>;
using Floats = std::vector<float>;

constexpr std::int64_t kTokens = 3;
constexpr std::int64_t kWidth = 256;  // one block of the largest kind

std::size_t count_of(Shape shape) {
  std::size_t count = 1;
  for (const std::int64_t dim : shape) count *= static_cast<std::size_t>(dim);
  return count;
}

// Multiples of 1/8 in [-0.75, 0.75], exact in every float type.
Floats pattern(std::size_t count, std::size_t seed) {
  Floats values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = (static_cast<float>((i * 7 + seed * 5) % 13) - 6.0F) / 8.0F;
  }
  return values;
}

// An operand over a copy of `bytes`; one without memory when there is none left (its data is then null).
Operand operand(DType dtype, Shape shape, std::span<const std::byte> bytes, bool has_tokens) {
  Operand made;
  if (auto buffer = memory::Buffer::allocate(std::max<std::size_t>(bytes.size(), 1), "known answers")) {
    made.bytes = std::move(*buffer);
    std::memcpy(made.bytes.data(), bytes.data(), bytes.size());
  }
  made.tensor = memory::describe(dtype, std::vector<std::int64_t>(shape), made.bytes.data());
  made.has_tokens = has_tokens;
  return made;
}

template <class T>
Operand operand_of(DType dtype, Shape shape, const std::vector<T>& values, bool has_tokens) {
  return operand(dtype, shape, std::as_bytes(std::span(values)), has_tokens);
}

Operand floats(Shape shape, const Floats& values) { return operand_of(DType::kF32, shape, values, true); }
Operand constant(Shape shape, const Floats& values) { return operand_of(DType::kF32, shape, values, false); }
Operand unwritten(Shape shape) {
  return floats(shape, Floats(count_of(shape), std::numeric_limits<float>::quiet_NaN()));
}

template <class T>
std::vector<std::byte> attributes_of(T attributes) {
  attributes.struct_size = sizeof attributes;
  std::vector<std::byte> bytes(sizeof attributes);
  std::memcpy(bytes.data(), &attributes, sizeof attributes);
  return bytes;
}

// A weight [rows, kWidth] of the type, as operand, and its values.
struct Weight {
  Operand operand;
  Floats values;
  std::int64_t rows;
};

std::optional<Weight> weight(DType dtype, std::int64_t rows) {
  auto known = known_weights(dtype, static_cast<std::uint64_t>(rows), kWidth);
  if (!known) return std::nullopt;
  return Weight{operand(dtype, {rows, kWidth}, known->bytes, false), std::move(known->values), rows};
}

// y[m][n] = sum over k of x[m][k] * w[n][k]
Floats linear_answer(const Floats& x, const Weight& w) {
  const std::size_t tokens = x.size() / kWidth;
  const auto rows = static_cast<std::size_t>(w.rows);
  Floats y(tokens * rows);
  for (std::size_t m = 0; m < tokens; ++m) {
    for (std::size_t n = 0; n < rows; ++n) {
      double sum = 0;
      for (std::size_t k = 0; k < kWidth; ++k) sum += double{x[m * kWidth + k]} * w.values[n * kWidth + k];
      y[m * rows + n] = static_cast<float>(sum);
    }
  }
  return y;
}

// The frame of every case: one input x [kTokens, kWidth] unless the case adds others.
KnownCase start(std::string_view op) {
  KnownCase known;
  known.op = op;
  known.tokens = kTokens;
  return known;
}

void expect(KnownCase& known, Shape shape, Floats answer) {
  known.outputs.push_back(unwritten(shape));
  known.expected.push_back(std::move(answer));
}

std::vector<std::byte> exact_numerics() {
  return attributes_of(belay_linear_attributes_t{0, BELAY_NUMERICS_F32});
}

std::optional<KnownCase> linear(DType dtype) {
  constexpr std::int64_t kRows = 5;
  auto w = weight(dtype, kRows);
  if (!w) return std::nullopt;
  KnownCase known = start(BELAY_OP_LINEAR);
  const Floats x = pattern(kTokens * kWidth, 1);
  known.attributes = exact_numerics();
  known.inputs.push_back(floats({kTokens, kWidth}, x));
  expect(known, {kTokens, kRows}, linear_answer(x, *w));
  known.constants.push_back(std::move(w->operand));
  return known;
}

std::optional<KnownCase> qkv(DType dtype) {
  KnownCase known = start(BELAY_OP_QKV);
  const Floats x = pattern(kTokens * kWidth, 2);
  known.attributes = exact_numerics();
  known.inputs.push_back(floats({kTokens, kWidth}, x));
  for (const std::int64_t rows : {8, 4, 4}) {
    auto w = weight(dtype, rows);
    if (!w) return std::nullopt;
    expect(known, {kTokens, rows}, linear_answer(x, *w));
    known.constants.push_back(std::move(w->operand));
  }
  return known;
}

float silu(float x) { return static_cast<float>(x / (1.0 + std::exp(-double{x}))); }

std::optional<KnownCase> mlp_swiglu(DType dtype) {
  auto gate = weight(dtype, kWidth);
  auto up = weight(dtype, kWidth);
  auto down = weight(dtype, kWidth);
  if (!gate || !up || !down) return std::nullopt;
  KnownCase known = start(BELAY_OP_MLP_SWIGLU);
  const Floats x = pattern(kTokens * kWidth, 3);
  known.attributes = exact_numerics();
  known.inputs.push_back(floats({kTokens, kWidth}, x));
  Floats hidden = linear_answer(x, *gate);
  const Floats other = linear_answer(x, *up);
  for (std::size_t i = 0; i < hidden.size(); ++i) hidden[i] = silu(hidden[i]) * other[i];
  expect(known, {kTokens, kWidth}, linear_answer(hidden, *down));
  for (auto* w : {&gate, &up, &down}) known.constants.push_back(std::move((*w)->operand));
  return known;
}

std::optional<KnownCase> embed(DType dtype) {
  auto table = weight(dtype, 6);
  if (!table) return std::nullopt;
  KnownCase known = start(BELAY_OP_EMBED);
  const std::vector<std::int32_t> ids = {4, 0, 5};
  known.inputs.push_back(operand_of(DType::kI32, {kTokens}, ids, true));
  Floats answer;
  for (const std::int32_t id : ids) {
    const auto row = table->values.begin() + id * kWidth;
    answer.insert(answer.end(), row, row + kWidth);
  }
  expect(known, {kTokens, kWidth}, std::move(answer));
  known.constants.push_back(std::move(table->operand));
  return known;
}

// (x - mean) / sqrt(variance + epsilon) * weight + bias; rms_norm has neither mean nor bias.
Floats norm_answer(const Floats& x, const Floats& w, const Floats* bias, double epsilon) {
  Floats y(x.size());
  for (std::size_t row = 0; row < x.size(); row += w.size()) {
    double mean = 0;
    for (std::size_t i = 0; i < w.size() && bias != nullptr; ++i)
      mean += x[row + i] / static_cast<double>(w.size());
    double variance = 0;
    for (std::size_t i = 0; i < w.size(); ++i) {
      variance += (x[row + i] - mean) * (x[row + i] - mean) / static_cast<double>(w.size());
    }
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double normal = (x[row + i] - mean) / std::sqrt(variance + epsilon) * w[i];
      y[row + i] = static_cast<float>(normal + (bias != nullptr ? (*bias)[i] : 0.0F));
    }
  }
  return y;
}

KnownCase norm(std::string_view op, bool with_bias) {
  constexpr std::int64_t kDim = 64;
  constexpr float kEpsilon = 1e-5F;
  KnownCase known = start(op);
  const Floats x = pattern(kTokens * kDim, 4);
  const Floats w = pattern(kDim, 5);
  const Floats bias = pattern(kDim, 6);
  known.attributes = attributes_of(belay_norm_attributes_t{0, kEpsilon});
  known.inputs.push_back(floats({kTokens, kDim}, x));
  known.constants.push_back(constant({kDim}, w));
  if (with_bias) known.constants.push_back(constant({kDim}, bias));
  expect(known, {kTokens, kDim}, norm_answer(x, w, with_bias ? &bias : nullptr, kEpsilon));
  return known;
}

KnownCase rope() {
  constexpr std::int64_t kHeads = 2;
  constexpr std::int64_t kDim = 32;
  constexpr std::int64_t kHalf = kDim / 2;
  constexpr float kTheta = 10000.0F;
  KnownCase known = start(BELAY_OP_ROPE);
  const Floats x = pattern(kTokens * kHeads * kDim, 7);
  const std::vector<std::int32_t> positions = {0, 3, 17};
  known.attributes = attributes_of(belay_rope_attributes_t{0, BELAY_ROPE_HALVES, kTheta, 1.0F, kDim, 0, {}});
  known.inputs.push_back(floats({kTokens, kHeads, kDim}, x));
  known.inputs.push_back(operand_of(DType::kI32, {kTokens}, positions, true));
  Floats answer(x.size());
  for (std::size_t row = 0; row < x.size(); row += kDim) {
    const double position = positions[row / (kHeads * kDim)];
    for (std::size_t i = 0; i < kHalf; ++i) {
      const double angle = position * std::pow(double{kTheta}, -2.0 * static_cast<double>(i) / kDim);
      const double a = x[row + i];
      const double b = x[row + i + kHalf];
      answer[row + i] = static_cast<float>(a * std::cos(angle) - b * std::sin(angle));
      answer[row + i + kHalf] = static_cast<float>(a * std::sin(angle) + b * std::cos(angle));
    }
  }
  expect(known, {kTokens, kHeads, kDim}, std::move(answer));
  return known;
}

// Element by element; two inputs, or one.
template <class Formula>
KnownCase elementwise(std::string_view op, bool binary, Formula formula) {
  constexpr std::int64_t kOdd = 37;
  KnownCase known = start(op);
  const Floats a = pattern(kTokens * kOdd, 8);
  const Floats b = pattern(kTokens * kOdd, 9);
  known.inputs.push_back(floats({kTokens, kOdd}, a));
  if (binary) known.inputs.push_back(floats({kTokens, kOdd}, b));
  Floats answer(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) answer[i] = formula(a[i], b[i]);
  expect(known, {kTokens, kOdd}, std::move(answer));
  return known;
}

KnownCase gelu() {
  KnownCase known = elementwise(BELAY_OP_GELU, false, [](float x, float) {
    return static_cast<float>(0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0))));
  });
  known.attributes = attributes_of(belay_gelu_attributes_t{0, BELAY_GELU_ERF});
  return known;
}

constexpr std::int64_t kKvHeads = 2;
constexpr std::int64_t kHeadDim = 32;
constexpr std::size_t kCacheFloats = std::size_t{kKvHeads} * BELAY_KV_BLOCK * kHeadDim;

std::size_t cache_index(std::int64_t head, std::uint64_t position) {
  return (static_cast<std::size_t>(head) * BELAY_KV_BLOCK + position) * kHeadDim;
}

// Rows of a cache: a pattern that q8_0, whose blocks are as long, keeps exactly, too, with a scale of 1/128.
Floats cache_rows(std::size_t count, std::size_t seed) {
  Floats values = pattern(count, seed);
  for (std::size_t row = 0; row < count; row += kHeadDim) values[row] = 127.0F / 128.0F;
  return values;
}

std::vector<std::byte> q8_blocks(const Floats& values) {
  const std::uint16_t scale = float_to_half(1.0F / 128.0F);
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % kHeadDim == 0) {
      bytes.push_back(static_cast<std::byte>(scale & 0xFFU));
      bytes.push_back(static_cast<std::byte>(scale >> 8U));
    }
    bytes.push_back(static_cast<std::byte>(static_cast<std::int8_t>(values[i] * 128.0F)));
  }
  return bytes;
}

// A cache [kv_heads, 1, 64, D] of the type with these values.
std::optional<Operand> cache(DType dtype, const Floats& values) {
  const Shape shape = {kKvHeads, 1, BELAY_KV_BLOCK, kHeadDim};
  if (dtype == DType::kF32) return operand_of(dtype, shape, values, false);
  if (dtype == DType::kQ8_0) return operand(dtype, shape, q8_blocks(values), false);
  if (dtype != DType::kF16) return std::nullopt;
  std::vector<std::uint16_t> halves(values.size());
  std::transform(values.begin(), values.end(), halves.begin(), float_to_half);
  return operand_of(dtype, shape, halves, false);
}

std::optional<KnownCase> kv_write(DType dtype) {
  KnownCase known = start(BELAY_OP_KV_WRITE);
  known.position = 2;
  for (const std::size_t seed : {10, 11}) {  // keys, then values
    const Floats rows = cache_rows(std::size_t{kTokens} * kKvHeads * kHeadDim, seed);
    Floats held = cache_rows(kCacheFloats, seed + 2);
    auto before = cache(dtype, held);
    if (!before) return std::nullopt;
    known.inputs.push_back(floats({kTokens, kKvHeads, kHeadDim}, rows));
    known.outputs.push_back(*std::move(before));
    for (std::size_t row = 0; row < kTokens * kKvHeads; ++row) {
      const auto from = rows.begin() + static_cast<std::ptrdiff_t>(row * kHeadDim);
      const std::size_t to =
          cache_index(static_cast<std::int64_t>(row % kKvHeads), known.position + row / kKvHeads);
      std::copy(from, from + kHeadDim, held.begin() + static_cast<std::ptrdiff_t>(to));
    }
    known.expected.push_back(std::move(held));
  }
  return known;
}

// softmax(scale * q k) v over the positions 0..last, for one head of one token.
void attend(const float* q, const Floats& keys, const Floats& values, std::int64_t kv_head,
            std::uint64_t last, float* out) {
  const double scale = 1.0 / std::sqrt(double{kHeadDim});
  std::array<double, kHeadDim> sum{};
  double total = 0;
  for (std::uint64_t position = 0; position <= last; ++position) {
    const std::size_t row = cache_index(kv_head, position);
    double dot = 0;
    for (std::size_t d = 0; d < kHeadDim; ++d) dot += double{q[d]} * keys[row + d];
    const double share = std::exp(dot * scale);  // the inputs are small: no maximum to subtract
    total += share;
    for (std::size_t d = 0; d < kHeadDim; ++d) sum[d] += share * values[row + d];
  }
  for (std::size_t d = 0; d < kHeadDim; ++d) out[d] = static_cast<float>(sum[d] / total);
}

std::optional<KnownCase> attention(DType dtype) {
  constexpr std::int64_t kHeads = 4;
  const Floats q = pattern(kTokens * kHeads * kHeadDim, 14);
  const Floats keys = cache_rows(kCacheFloats, 15);
  const Floats values = cache_rows(kCacheFloats, 16);
  auto k_cache = cache(dtype, keys);
  auto v_cache = cache(dtype, values);
  if (!k_cache || !v_cache) return std::nullopt;
  KnownCase known = start(BELAY_OP_ATTENTION);
  known.position = 4;
  const auto scale = static_cast<float>(1.0 / std::sqrt(double{kHeadDim}));
  known.attributes = attributes_of(belay_attention_attributes_t{0, BELAY_MASK_CAUSAL, scale, 0});
  known.inputs.push_back(floats({kTokens, kHeads, kHeadDim}, q));
  known.inputs.push_back(*std::move(k_cache));
  known.inputs.push_back(*std::move(v_cache));
  Floats answer(q.size());
  for (std::size_t row = 0; row < kTokens * kHeads; ++row) {
    const auto kv_head = static_cast<std::int64_t>(row % kHeads) / (kHeads / kKvHeads);
    attend(&q[row * kHeadDim], keys, values, kv_head, known.position + row / kHeads, &answer[row * kHeadDim]);
  }
  expect(known, {kTokens, kHeads, kHeadDim}, std::move(answer));
  return known;
}

}  // namespace

std::optional<KnownCase> known_case(std::string_view op, DType dtype) {
  if (op == BELAY_OP_LINEAR) return linear(dtype);
  if (op == BELAY_OP_QKV) return qkv(dtype);
  if (op == BELAY_OP_MLP_SWIGLU) return mlp_swiglu(dtype);
  if (op == BELAY_OP_EMBED) return embed(dtype);
  if (op == BELAY_OP_KV_WRITE) return kv_write(dtype);
  if (op == BELAY_OP_ATTENTION) return attention(dtype);
  if (dtype != DType::kF32) return std::nullopt;
  if (op == BELAY_OP_RMS_NORM) return norm(op, false);
  if (op == BELAY_OP_LAYER_NORM) return norm(op, true);
  if (op == BELAY_OP_ROPE) return rope();
  if (op == BELAY_OP_SILU_MUL)
    return elementwise(op, true, [](float gate, float up) { return silu(gate) * up; });
  if (op == BELAY_OP_ADD) return elementwise(op, true, [](float a, float b) { return a + b; });
  if (op == BELAY_OP_GELU) return gelu();
  return std::nullopt;
}

}  // namespace belay::registry
