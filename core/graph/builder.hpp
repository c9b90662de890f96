// The verbs in which a model is written: each adds one node and returns the value it computes. Shapes are
// checked here once, so that nothing behind has to: a model file whose tensors do not fit together is refused
// with the tensor's name.
//
// The first mistake is kept and everything after it does nothing; finish() reports it. So a forward pass
// reads without error handling between its lines.
#pragma once

#include "core/base/status.hpp"
#include "core/graph/graph.hpp"

#include <optional>

namespace belay::graph {

class Builder {
 public:
  // What is built next belongs to this layer; -1: to none.
  void set_layer(int layer) { layer_ = layer; }

  [[nodiscard]] ValueId input(std::string name, DType dtype, Shape shape);
  [[nodiscard]] WeightId weight(Weight weight);
  // Notes a mistake that the caller found, if it is the first: a tensor that the file lacks, say.
  void refuse(Error mistake);

  // ids (M) i32, table (vocab, width) -> (M, width); a row of zeros for the id -1
  [[nodiscard]] ValueId embed(std::string name, ValueId ids, WeightId table);
  // x (M, K), weight (N, K), bias (N) -> (M, N).
  struct Linear {
    WeightId weight;
    std::optional<WeightId> bias = std::nullopt;
    std::int32_t numerics =
        BELAY_NUMERICS_ACT_Q8;  // of the activations, where the level allows less than f32
  };
  [[nodiscard]] ValueId linear(std::string name, ValueId x, const Linear& layer);
  // Over the last dimension of x.
  [[nodiscard]] ValueId rms_norm(std::string name, ValueId x, WeightId weight, float epsilon);
  [[nodiscard]] ValueId layer_norm(std::string name, ValueId x, WeightId weight, WeightId bias,
                                   float epsilon);
  // x (M, heads, D), positions (M) i32, or (axes, M) when the attributes have sections
  [[nodiscard]] ValueId rope(std::string name, ValueId x, ValueId positions,
                             const belay_rope_attributes_t& attributes,
                             std::optional<WeightId> freq_factors = std::nullopt);
  // Appends k and v (M, kv_heads, D) to the layer's cache and answers what attention reads.
  struct Cache {
    ValueId keys;
    ValueId values;
  };
  [[nodiscard]] Cache kv_write(std::string name, ValueId k, ValueId v, DType cache_dtype);
  // q (M, heads, D) -> (M, heads, D), causal, softmax(q k^T / sqrt(D)) v
  [[nodiscard]] ValueId attention(std::string name, ValueId q, const Cache& cache);
  // q, k, v (M, heads, D) -> (M, heads, D): every row of q sees every row of k, and nothing is kept.
  struct Heads {
    ValueId q;
    ValueId k;
    ValueId v;
  };
  [[nodiscard]] ValueId attend_all(const std::string& name, const Heads& heads);
  [[nodiscard]] ValueId silu_mul(std::string name, ValueId gate, ValueId up);
  // `form`: BELAY_GELU_*
  [[nodiscard]] ValueId gelu(std::string name, ValueId x, std::int32_t form);
  [[nodiscard]] ValueId add(std::string name, ValueId a, ValueId b);
  // The same bytes under another shape: (M, N) <-> (M, heads, D), or (M, N) -> (M/4, 4N) by kGroups. No node.
  [[nodiscard]] ValueId reshape(ValueId x, Shape shape);

  // The graph with these values as its results, or the first mistake.
  [[nodiscard]] Result<Graph> finish(std::vector<ValueId> outputs) &&;

 private:
  ValueId value(std::string name, ValueKind kind, DType dtype, Shape shape);
  ValueId node(Op op, std::string name, Attributes attributes, std::vector<ValueId> inputs,
               std::vector<WeightId> weights, Shape shape);
  ValueId attention_node(std::string name, ValueId q, const Cache& cache, std::int32_t mask);
  void expect_vector(WeightId id, std::int64_t size);
  void expect(bool condition, const std::string& name, const std::string& what);
  [[nodiscard]] const Shape& shape(ValueId id) const { return graph_.values[id].shape; }

  Graph graph_;
  std::optional<Error> mistake_;
  int layer_ = -1;
};

}  // namespace belay::graph
