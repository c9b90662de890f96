#include "core/dispatch/calls.hpp"

namespace belay::dispatch {

Calls::Calls(const graph::Graph& graph, std::span<const belay_tensor_t> tensors) {
  run_.struct_size = sizeof run_;
  first_input_.push_back(0);
  first_output_.push_back(0);
  for (const graph::Node& node : graph.nodes) {
    for (const graph::ValueId id : node.inputs) inputs_.push_back(&tensors[id]);
    for (const graph::ValueId id : node.outputs) outputs_.push_back(&tensors[id]);
    first_input_.push_back(inputs_.size());
    first_output_.push_back(outputs_.size());
  }
}

belay_run_t& Calls::of(std::size_t first, std::size_t count) {
  run_.inputs = inputs_.data() + first_input_[first];
  run_.input_count = first_input_[first + count] - first_input_[first];
  run_.outputs = outputs_.data() + first_output_[first];
  run_.output_count = first_output_[first + count] - first_output_[first];
  return run_;
}

std::span<const belay_tensor_t* const> Calls::inputs_of(std::size_t node) const {
  return std::span(inputs_).subspan(first_input_[node], first_input_[node + 1] - first_input_[node]);
}

std::span<const belay_tensor_t* const> Calls::outputs_of(std::size_t node) const {
  return std::span(outputs_).subspan(first_output_[node], first_output_[node + 1] - first_output_[node]);
}

}  // namespace belay::dispatch
