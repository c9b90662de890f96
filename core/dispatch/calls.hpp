// The arguments of every node of a graph. Those of neighbours lie side by side, so that a kernel that does
// the work of several nodes finds its own there, too.
#pragma once

#include "core/graph/graph.hpp"

#include <belay/ext/compute.h>

#include <cstddef>
#include <span>
#include <vector>

namespace belay::dispatch {

class Calls {
 public:
  Calls() = default;
  // `tensors`: of each value of the graph; they stay where they are as long as this object lives.
  Calls(const graph::Graph& graph, std::span<const belay_tensor_t> tensors);

  // The arguments of `count` nodes from `first` on, until the next call. Position and stream are the caller's
  // to set.
  [[nodiscard]] belay_run_t& of(std::size_t first, std::size_t count = 1);
  [[nodiscard]] std::span<const belay_tensor_t* const> inputs_of(std::size_t node) const;
  [[nodiscard]] std::span<const belay_tensor_t* const> outputs_of(std::size_t node) const;

 private:
  std::vector<const belay_tensor_t*> inputs_;
  std::vector<const belay_tensor_t*> outputs_;
  std::vector<std::size_t> first_input_;  // of each node, and where the last one's end
  std::vector<std::size_t> first_output_;
  belay_run_t run_ = {};
};

}  // namespace belay::dispatch
