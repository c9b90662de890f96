#include "core/graph/builder.hpp"

#include "core/base/format.hpp"

#include <cmath>
#include <utility>

namespace belay::graph {
namespace {

std::string text(const Shape& shape) {
  std::string out = "[";
  for (const std::int64_t dim : shape) {
    if (out.size() > 1) out += ", ";
    out += dim == kTokens ? "tokens" : std::to_string(dim);
  }
  return out + "]";
}

std::int64_t width(const Shape& shape) {
  std::int64_t elems = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) elems *= shape[i];
  return elems;
}

}  // namespace

void Builder::expect(bool condition, const std::string& name, const std::string& what) {
  if (condition || mistake_) return;
  mistake_ = fail(ErrorCode::kBadInput, "model: {}: {}; the file does not describe a model that can be run",
                  name, what);
}

void Builder::refuse(Error mistake) {
  if (!mistake_) mistake_ = std::move(mistake);
}

ValueId Builder::value(std::string name, ValueKind kind, DType dtype, Shape shape) {
  graph_.values.push_back({std::move(name), kind, dtype, std::move(shape), layer_, {}});
  return static_cast<ValueId>(graph_.values.size() - 1);
}

ValueId Builder::node(Op op, std::string name, Attributes attributes, std::vector<ValueId> inputs,
                      std::vector<WeightId> weights, Shape shape) {
  const ValueId output = value(name, ValueKind::kActivation, DType::kF32, std::move(shape));
  graph_.nodes.push_back(
      {op, std::move(name), layer_, attributes, std::move(inputs), std::move(weights), {output}});
  return output;
}

ValueId Builder::input(std::string name, DType dtype, Shape shape) {
  const ValueId id = value(std::move(name), ValueKind::kInput, dtype, std::move(shape));
  graph_.inputs.push_back(id);
  return id;
}

WeightId Builder::weight(Weight weight) {
  graph_.weights.push_back(std::move(weight));
  return static_cast<WeightId>(graph_.weights.size() - 1);
}

ValueId Builder::embed(std::string name, ValueId ids, WeightId table) {
  const Weight& w = graph_.weights[table];
  expect(w.shape.size() == 2, w.name, format("shape {}, expected [vocabulary, width]", text(w.shape)));
  if (mistake_) return 0;
  const std::int64_t columns = w.shape[1];
  return node(Op::kEmbed, std::move(name), {}, {ids}, {table}, {kTokens, columns});
}

ValueId Builder::linear(std::string name, ValueId x, const Linear& layer) {
  if (mistake_) return 0;
  const Weight& w = graph_.weights[layer.weight];
  expect(w.shape.size() == 2 && w.shape[1] == width(shape(x)), w.name,
         format("shape {}, expected [outputs, {}]", text(w.shape), width(shape(x))));
  if (mistake_) return 0;
  const std::int64_t outputs = w.shape[0];
  std::vector<WeightId> weights = {layer.weight};
  if (layer.bias) {
    const Weight& b = graph_.weights[*layer.bias];
    expect(b.dtype == DType::kF32 && b.shape == Shape{outputs}, b.name,
           format("expected {} f32 values", outputs));
    weights.push_back(*layer.bias);
  }
  const belay_linear_attributes_t attributes = {
      sizeof attributes, layer.may_quantise ? BELAY_NUMERICS_ACT_Q8 : BELAY_NUMERICS_F32};
  return node(Op::kLinear, std::move(name), attributes, {x}, std::move(weights), {kTokens, outputs});
}

ValueId Builder::rms_norm(std::string name, ValueId x, WeightId weight, float epsilon) {
  if (mistake_) return 0;
  const Weight& w = graph_.weights[weight];
  const std::int64_t last = shape(x).back();
  expect(w.dtype == DType::kF32 && w.shape == Shape{last}, w.name,
         format("{} of shape {}, expected {} f32 values", to_string(w.dtype), text(w.shape), last));
  const belay_norm_attributes_t attributes = {sizeof attributes, epsilon};
  return node(Op::kRmsNorm, std::move(name), attributes, {x}, {weight}, shape(x));
}

ValueId Builder::rope(std::string name, ValueId x, ValueId positions,
                      const belay_rope_attributes_t& attributes, std::optional<WeightId> freq_factors) {
  if (mistake_) return 0;
  const std::int64_t head_dim = shape(x).back();
  const std::int64_t rotary = attributes.rotary_dim;
  expect(rotary > 0 && rotary % 2 == 0 && rotary <= head_dim, name,
         format("rotary dimension {} of heads of {}", rotary, head_dim));
  std::vector<WeightId> weights;
  if (freq_factors) {
    const Weight& w = graph_.weights[*freq_factors];
    expect(w.dtype == DType::kF32 && w.shape == Shape{rotary / 2}, w.name,
           format("expected {} f32 values", rotary / 2));
    weights.push_back(*freq_factors);
  }
  return node(Op::kRope, std::move(name), attributes, {x, positions}, std::move(weights), shape(x));
}

Builder::Cache Builder::kv_write(std::string name, ValueId k, ValueId v, DType cache_dtype) {
  if (mistake_) return {0, 0};
  expect(shape(k).size() == 3 && shape(k) == shape(v), name,
         format("keys {} and values {} differ", text(shape(k)), text(shape(v))));
  if (mistake_) return {0, 0};
  const Shape cache = {shape(k)[1], BELAY_DYNAMIC, BELAY_KV_BLOCK, shape(k)[2]};
  const ValueId keys = value(name + ".k_cache", ValueKind::kKeyCache, cache_dtype, cache);
  const ValueId values = value(name + ".v_cache", ValueKind::kValueCache, cache_dtype, cache);
  graph_.nodes.push_back({Op::kKvWrite, std::move(name), layer_, {}, {k, v}, {}, {keys, values}});
  return {keys, values};
}

ValueId Builder::attention(std::string name, ValueId q, const Cache& cache) {
  if (mistake_) return 0;
  const Shape& queries = shape(q);
  const Shape& keys = shape(cache.keys);
  expect(queries.size() == 3 && queries[2] == keys[3] && keys[0] > 0 && queries[1] % keys[0] == 0, name,
         format("queries {} over keys {}: head counts or sizes do not fit", text(queries), text(keys)));
  if (mistake_) return 0;
  const float scale = 1.0F / std::sqrt(static_cast<float>(queries[2]));
  const belay_attention_attributes_t attributes = {sizeof attributes, BELAY_MASK_CAUSAL, scale, 0};
  return node(Op::kAttention, std::move(name), attributes, {q, cache.keys, cache.values}, {}, queries);
}

ValueId Builder::silu_mul(std::string name, ValueId gate, ValueId up) {
  if (mistake_) return 0;
  expect(shape(gate) == shape(up), name,
         format("gate {} and up {} differ", text(shape(gate)), text(shape(up))));
  return node(Op::kSiluMul, std::move(name), {}, {gate, up}, {}, shape(gate));
}

ValueId Builder::add(std::string name, ValueId a, ValueId b) {
  if (mistake_) return 0;
  expect(shape(a) == shape(b), name, format("{} and {} differ", text(shape(a)), text(shape(b))));
  return node(Op::kAdd, std::move(name), {}, {a, b}, {}, shape(a));
}

ValueId Builder::reshape(ValueId x, Shape shape) {
  if (mistake_) return 0;
  const Value source = graph_.values[x];
  expect(width(shape) == width(source.shape), source.name,
         format("{} is not {}", text(source.shape), text(shape)));
  const ValueId view = value(source.name, source.kind, source.dtype, std::move(shape));
  graph_.values[view].view_of = source.view_of.value_or(x);
  return view;
}

Result<Graph> Builder::finish(ValueId output) && {
  if (mistake_) return *std::move(mistake_);
  graph_.output = output;
  return std::move(graph_);
}

}  // namespace belay::graph
