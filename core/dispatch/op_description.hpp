// A graph node in the words of the ABI, as one plugin is asked about it. Owns the arrays that `op` points
// into.
#pragma once

#include "core/graph/graph.hpp"

#include <belay/op.h>

#include <vector>

namespace belay::dispatch {

class OpDescription {
 public:
  // `numerics` is what this plugin may do to activations; a linear gets the stricter of it and its own.
  OpDescription(const graph::Graph& graph, const graph::Node& node, std::int32_t numerics);
  OpDescription(OpDescription&&) = default;  // vectors keep their addresses when they move
  OpDescription& operator=(OpDescription&&) = delete;
  OpDescription(const OpDescription&) = delete;
  OpDescription& operator=(const OpDescription&) = delete;
  ~OpDescription() = default;

  // Valid while this object is neither moved nor destroyed.
  [[nodiscard]] belay_op_t op() const;

 private:
  graph::Op op_;
  graph::Attributes attributes_;
  std::vector<belay_tensor_t> inputs_;
  std::vector<belay_tensor_t> constants_;
  std::vector<belay_tensor_t> outputs_;
};

}  // namespace belay::dispatch
