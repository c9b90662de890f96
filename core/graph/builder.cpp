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
    out += dim >= 0         ? std::to_string(dim)
           : dim == kTokens ? "tokens"
           : dim == kGroups ? "tokens/4"
                            : "blocks";
  }
  return out + "]";
}

// Elements that one token has.
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

void Builder::expect_vector(WeightId id, std::int64_t size) {
  const Weight& w = graph_.weights[id];
  expect(w.dtype == DType::kF32 && w.shape == Shape{size}, w.name,
         format("{} of shape {}, expected {} f32 values", to_string(w.dtype), text(w.shape), size));
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
    expect_vector(*layer.bias, outputs);
    weights.push_back(*layer.bias);
  }
  const belay_linear_attributes_t attributes = {sizeof attributes, layer.numerics};
  return node(Op::kLinear, std::move(name), attributes, {x}, std::move(weights), {shape(x).front(), outputs});
}

ValueId Builder::rms_norm(std::string name, ValueId x, WeightId weight, float epsilon) {
  if (mistake_) return 0;
  expect_vector(weight, shape(x).back());
  const belay_norm_attributes_t attributes = {sizeof attributes, epsilon};
  return node(Op::kRmsNorm, std::move(name), attributes, {x}, {weight}, shape(x));
}

ValueId Builder::layer_norm(std::string name, ValueId x, WeightId weight, WeightId bias, float epsilon) {
  if (mistake_) return 0;
  expect_vector(weight, shape(x).back());
  expect_vector(bias, shape(x).back());
  const belay_norm_attributes_t attributes = {sizeof attributes, epsilon};
  return node(Op::kLayerNorm, std::move(name), attributes, {x}, {weight, bias}, shape(x));
}

ValueId Builder::rope(std::string name, ValueId x, ValueId positions,
                      const belay_rope_attributes_t& attributes, std::optional<WeightId> freq_factors) {
  if (mistake_) return 0;
  const std::int64_t head_dim = shape(x).back();
  const std::int64_t rotary = attributes.rotary_dim;
  const std::size_t axes = shape(positions).size();
  expect(axes == 1 || (axes == 2 && shape(positions)[1] == kTokens), name,
         format("positions {} are neither [tokens] nor [axes, tokens]", text(shape(positions))));
  expect(rotary > 0 && rotary % 2 == 0 && rotary <= head_dim, name,
         format("rotary dimension {} of heads of {}", rotary, head_dim));
  std::vector<WeightId> weights;
  if (freq_factors) {
    expect_vector(*freq_factors, rotary / 2);
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
  return attention_node(std::move(name), q, cache, BELAY_MASK_CAUSAL);
}

ValueId Builder::attend_all(const std::string& name, const Heads& heads) {
  if (mistake_) return 0;
  const Shape& keys = shape(heads.k);
  expect(keys.size() == 3 && keys == shape(heads.v), name,
         format("keys {} and values {} differ", text(keys), text(shape(heads.v))));
  if (mistake_) return 0;
  // A cache that lives only from the one node to the other is an activation like any.
  const Shape blocks = {keys[1], kKvBlocks, BELAY_KV_BLOCK, keys[2]};
  const Cache cache = {value(name + ".k", ValueKind::kActivation, DType::kF32, blocks),
                       value(name + ".v", ValueKind::kActivation, DType::kF32, blocks)};
  graph_.nodes.push_back(
      {Op::kKvWrite, name + ".kv_write", layer_, {}, {heads.k, heads.v}, {}, {cache.keys, cache.values}});
  return attention_node(name, heads.q, cache, BELAY_MASK_NONE);
}

ValueId Builder::attention_node(std::string name, ValueId q, const Cache& cache, std::int32_t mask) {
  if (mistake_) return 0;
  const Shape& queries = shape(q);
  const Shape& keys = shape(cache.keys);
  expect(queries.size() == 3 && queries[2] == keys[3] && keys[0] > 0 && queries[1] % keys[0] == 0, name,
         format("queries {} over keys {}: head counts or sizes do not fit", text(queries), text(keys)));
  if (mistake_) return 0;
  const float scale = 1.0F / std::sqrt(static_cast<float>(queries[2]));
  const belay_attention_attributes_t attributes = {sizeof attributes, mask, scale, 0};
  return node(Op::kAttention, std::move(name), attributes, {q, cache.keys, cache.values}, {}, queries);
}

ValueId Builder::silu_mul(std::string name, ValueId gate, ValueId up) {
  if (mistake_) return 0;
  expect(shape(gate) == shape(up), name,
         format("gate {} and up {} differ", text(shape(gate)), text(shape(up))));
  return node(Op::kSiluMul, std::move(name), {}, {gate, up}, {}, shape(gate));
}

ValueId Builder::gelu(std::string name, ValueId x, std::int32_t form) {
  if (mistake_) return 0;
  const belay_gelu_attributes_t attributes = {sizeof attributes, form};
  return node(Op::kGelu, std::move(name), attributes, {x}, {}, shape(x));
}

ValueId Builder::add(std::string name, ValueId a, ValueId b) {
  if (mistake_) return 0;
  expect(shape(a) == shape(b), name, format("{} and {} differ", text(shape(a)), text(shape(b))));
  return node(Op::kAdd, std::move(name), {}, {a, b}, {}, shape(a));
}

ValueId Builder::reshape(ValueId x, Shape shape) {
  if (mistake_) return 0;
  const Value source = graph_.values[x];
  const bool joins_rows = shape.front() == kGroups && source.shape.front() == kTokens;
  expect(width(shape) == width(source.shape) * (joins_rows ? kGroupTokens : 1), source.name,
         format("{} is not {}", text(source.shape), text(shape)));
  const ValueId view = value(source.name, source.kind, source.dtype, std::move(shape));
  graph_.values[view].view_of = source.view_of.value_or(x);
  return view;
}

Result<Graph> Builder::finish(std::vector<ValueId> outputs) && {
  if (mistake_) return *std::move(mistake_);
  graph_.outputs = std::move(outputs);
  return std::move(graph_);
}

}  // namespace belay::graph
