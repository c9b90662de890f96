// Nodes that follow each other on one plugin, in the words of the ABI, as belay_compute_t.fuse is offered
// them.
#pragma once

#include "core/dispatch/op_description.hpp"
#include "core/graph/graph.hpp"

#include <belay/ext/compute.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace belay::dispatch {

// Of each value of a graph, by its source, the last node that reads it; kReadForever for what is a result of
// the graph or a cache, and kNeverRead. Pure.
inline constexpr std::size_t kReadForever = SIZE_MAX;
inline constexpr std::size_t kNeverRead = SIZE_MAX - 1;
[[nodiscard]] std::vector<std::size_t> last_readers(const graph::Graph& graph);

class Sequence {
 public:
  // The nodes from `first` on, one for each kernel. The graph and its last_readers() must outlive the
  // sequence.
  Sequence(const graph::Graph& graph, std::span<const std::size_t> last_readers, std::size_t first,
           std::span<belay_kernel_t* const> kernels, std::int32_t numerics);

  // The steps from the one of node `first` on, until the next call.
  [[nodiscard]] std::span<const belay_step_t> from(std::size_t first);

 private:
  struct Step {
    std::vector<std::uint32_t> inputs;
    std::vector<std::uint32_t> outputs;
    std::vector<std::uint64_t> last_reads;
  };
  [[nodiscard]] std::uint32_t source(graph::ValueId id) const {
    return graph_.values[id].view_of.value_or(id);
  }

  const graph::Graph& graph_;
  std::size_t first_;
  std::span<const std::size_t> last_readers_;
  std::vector<OpDescription> descriptions_;
  std::vector<belay_op_t> ops_;
  std::vector<Step> steps_;
  std::vector<belay_step_t> offered_;
};

}  // namespace belay::dispatch
