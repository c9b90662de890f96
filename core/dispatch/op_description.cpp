#include "core/dispatch/op_description.hpp"

#include "core/memory/tensor.hpp"

#include <algorithm>
#include <type_traits>

namespace belay::dispatch {
namespace {

belay_str_t view(std::string_view text) { return {text.data(), text.size()}; }

std::vector<belay_tensor_t> describe_values(const graph::Graph& graph,
                                            const std::vector<graph::ValueId>& ids) {
  std::vector<belay_tensor_t> tensors;
  tensors.reserve(ids.size());
  for (const graph::ValueId id : ids) {
    tensors.push_back(memory::describe(graph.values[id].dtype, graph.values[id].shape, nullptr));
  }
  return tensors;
}

}  // namespace

OpDescription::OpDescription(const graph::Graph& graph, const graph::Node& node, std::int32_t numerics)
    : op_(node.op),
      attributes_(node.attributes),
      inputs_(describe_values(graph, node.inputs)),
      outputs_(describe_values(graph, node.outputs)) {
  constants_.reserve(node.weights.size());
  for (const graph::WeightId id : node.weights) {
    const graph::Weight& weight = graph.weights[id];
    // The ABI has one descriptor for tensors that are read and that are written; a plugin only reads its
    // constants.
    auto* bytes = const_cast<std::byte*>(weight.data.data());
    constants_.push_back(memory::describe(weight.dtype, weight.shape, bytes));
  }
  auto* linear = std::get_if<belay_linear_attributes_t>(&attributes_);
  if (linear != nullptr && numerics == BELAY_NUMERICS_F32) linear->numerics = numerics;
}

belay_op_t OpDescription::op() const {
  belay_op_t op = {};
  op.struct_size = sizeof op;
  op.id = view(graph::op_id(op_));
  std::visit(
      [&](const auto& attributes) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(attributes)>, std::monostate>) {
          op.attributes = &attributes;
          op.attributes_size = sizeof attributes;
        }
      },
      attributes_);
  op.inputs = inputs_.data();
  op.input_count = inputs_.size();
  op.constants = constants_.data();
  op.constant_count = constants_.size();
  op.outputs = outputs_.data();
  op.output_count = outputs_.size();
  return op;
}

}  // namespace belay::dispatch
