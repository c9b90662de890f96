#include "core/dispatch/sequence.hpp"

namespace belay::dispatch {

std::vector<std::size_t> last_readers(const graph::Graph& graph) {
  std::vector<std::size_t> last(graph.values.size(), kNeverRead);
  const auto source = [&](graph::ValueId id) { return graph.values[id].view_of.value_or(id); };
  for (std::size_t node = 0; node < graph.nodes.size(); ++node) {
    for (const graph::ValueId id : graph.nodes[node].inputs) last[source(id)] = node;
  }
  for (const graph::ValueId id : graph.outputs) last[source(id)] = kReadForever;
  for (std::size_t id = 0; id < graph.values.size(); ++id) {
    if (graph::is_cache(graph.values[id])) last[id] = kReadForever;
  }
  return last;
}

Sequence::Sequence(const graph::Graph& graph, std::span<const std::size_t> last_readers, std::size_t first,
                   std::span<belay_kernel_t* const> kernels, std::int32_t numerics)
    : graph_(graph), first_(first), last_readers_(last_readers) {
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    const graph::Node& node = graph.nodes[first + i];
    descriptions_.emplace_back(graph, node, numerics);
    Step& step = steps_.emplace_back();
    for (const graph::ValueId id : node.inputs) step.inputs.push_back(source(id));
    for (const graph::ValueId id : node.outputs) step.outputs.push_back(source(id));
    step.last_reads.resize(node.outputs.size());
    belay_step_t& offered = offered_.emplace_back();
    offered.struct_size = sizeof offered;
    offered.kernel = kernels[i];
  }
  for (const OpDescription& description : descriptions_) ops_.push_back(description.op());
  for (std::size_t i = 0; i < offered_.size(); ++i) {
    offered_[i].op = &ops_[i];
    offered_[i].inputs = steps_[i].inputs.data();
    offered_[i].outputs = steps_[i].outputs.data();
    offered_[i].last_reads = steps_[i].last_reads.data();
  }
}

std::span<const belay_step_t> Sequence::from(std::size_t first) {
  const std::size_t end = first_ + steps_.size();
  for (std::size_t node = first; node < end; ++node) {
    Step& step = steps_[node - first_];
    for (std::size_t o = 0; o < step.outputs.size(); ++o) {
      const std::size_t last = last_readers_[step.outputs[o]];
      const std::size_t reader = last == kNeverRead ? node : last;
      step.last_reads[o] = reader >= end ? UINT64_MAX : reader - first;
    }
  }
  return std::span(offered_).subspan(first - first_);
}

}  // namespace belay::dispatch
