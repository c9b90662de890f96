#include "core/graph/graph.hpp"

#include <algorithm>
#include <array>

namespace belay::graph {
namespace {

constexpr std::array<std::string_view, 10> kIds = {
    BELAY_OP_EMBED,    BELAY_OP_LINEAR,    BELAY_OP_RMS_NORM, BELAY_OP_LAYER_NORM, BELAY_OP_ROPE,
    BELAY_OP_KV_WRITE, BELAY_OP_ATTENTION, BELAY_OP_SILU_MUL, BELAY_OP_GELU,       BELAY_OP_ADD};

}  // namespace

std::int64_t resolve(std::int64_t dim, std::uint64_t tokens) {
  const auto count = static_cast<std::int64_t>(tokens);
  switch (dim) {
    case kTokens:
      return count;
    case kKvBlocks:
      return (count + BELAY_KV_BLOCK - 1) / BELAY_KV_BLOCK;
    case kGroups:
      return count / kGroupTokens;
    default:
      return dim;
  }
}

std::string_view op_id(Op op) { return kIds.at(static_cast<std::size_t>(op)); }

std::string_view op_name(Op op) {
  std::string_view name = op_id(op);
  name.remove_prefix(name.find('.') + 1);
  return name.substr(0, name.find('/'));
}

DType grouping_dtype(const Graph& graph, const Node& node) {
  if (!node.weights.empty()) return graph.weights[node.weights[0]].dtype;
  const bool caches = node.op == Op::kKvWrite || node.op == Op::kAttention;
  const ValueId id = node.op == Op::kKvWrite ? node.outputs[0] : node.inputs[caches ? 1 : 0];
  return graph.values[id].dtype;
}

std::size_t first_node(const Graph& graph, Op op) {
  return static_cast<std::size_t>(std::ranges::find(graph.nodes, op, &Node::op) - graph.nodes.begin());
}

std::uint64_t value_bytes(const Value& value, std::uint64_t tokens) {
  const DTypeInfo& type = info(value.dtype);
  std::uint64_t elems = 1;
  for (const std::int64_t dim : value.shape) elems *= static_cast<std::uint64_t>(resolve(dim, tokens));
  return elems / type.block_elems * type.block_bytes;
}

}  // namespace belay::graph
