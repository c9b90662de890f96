// What a model computes: values, weights, and nodes in the order in which they run. Plain data, built once by
// graph::Builder, then only read; knows nothing of plugins or memory.
//
// What changes from step to step is the number of tokens; a dimension that follows from it is one of the
// constants below. Every activation is f32, contiguous, slowest dimension first.
#pragma once

#include "core/base/dtype.hpp"

#include <belay/op.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace belay::graph {

inline constexpr std::int64_t kTokens = BELAY_DYNAMIC;
inline constexpr std::int64_t kKvBlocks = -2;  // blocks of BELAY_KV_BLOCK positions that hold all tokens
inline constexpr std::int64_t kGroups = -3;    // tokens / kGroupTokens, when rows are joined four by four
inline constexpr std::int64_t kGroupTokens = 4;

// A dimension at a step of `tokens` tokens; those that are fixed stay.
[[nodiscard]] std::int64_t resolve(std::int64_t dim, std::uint64_t tokens);

using Shape = std::vector<std::int64_t>;
using ValueId = std::uint32_t;
using WeightId = std::uint32_t;

enum class Op { kEmbed, kLinear, kRmsNorm, kLayerNorm, kRope, kKvWrite, kAttention, kSiluMul, kGelu, kAdd };

// "belay.linear/1", as the ABI names it, and "linear", as people do.
[[nodiscard]] std::string_view op_id(Op op);
[[nodiscard]] std::string_view op_name(Op op);

enum class ValueKind {
  kInput,       // given by the caller at each step: token ids, positions, hidden rows
  kActivation,  // computed by one node, read by later ones
  kKeyCache,    // the keys of one layer, kept from step to step: (kv_heads, blocks, 64, head_dim)
  kValueCache,  // the values of one layer, likewise
};

struct Value {
  std::string name;
  ValueKind kind = ValueKind::kActivation;
  DType dtype = DType::kF32;
  Shape shape;
  int layer = -1;                       // of a cache
  std::optional<ValueId> view_of = {};  // the same bytes as that value, under another shape
};

// Whose the bytes of a weight are, and how long they stay.
enum class Home {
  kMemory,  // made in memory: they stay
  kFile,    // in a mapped file: their memory can be given back, they stay readable
  kRing,    // in memory that they share with other weights: there while their node runs, and no longer
  kUnmade,  // nobody's yet: they will be made of others, or are whenever they are needed
};

// Bytes in the layout of a model file. Not owned: they outlive the graph.
struct Weight {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  std::span<const std::byte> data;
  Home home = Home::kMemory;
};

using Attributes =
    std::variant<std::monostate, belay_linear_attributes_t, belay_norm_attributes_t, belay_rope_attributes_t,
                 belay_attention_attributes_t, belay_gelu_attributes_t>;

struct Node {
  Op op = Op::kAdd;
  std::string name;  // "blk.3.attn_q"
  int layer = -1;    // -1: outside the layers
  Attributes attributes;
  std::vector<ValueId> inputs;
  std::vector<WeightId> weights;
  std::vector<ValueId> outputs;
};

struct Graph {
  std::vector<Value> values;
  std::vector<Weight> weights;
  std::vector<Node> nodes;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
};

// The type by which a node's chain is grouped: of its first weight, or of its cache, or of its activations.
[[nodiscard]] DType grouping_dtype(const Graph& graph, const Node& node);

// The first node that does `op`; none: the number of nodes.
[[nodiscard]] std::size_t first_node(const Graph& graph, Op op);

// Whether a value is the keys or the values of a layer, which stay from step to step.
[[nodiscard]] inline bool is_cache(const Value& value) {
  return value.kind == ValueKind::kKeyCache || value.kind == ValueKind::kValueCache;
}

// Bytes of a value at a step of `tokens` tokens.
[[nodiscard]] std::uint64_t value_bytes(const Value& value, std::uint64_t tokens);

}  // namespace belay::graph
