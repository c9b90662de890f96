#include "core/runtime/executor.hpp"

#include "core/dispatch/canary.hpp"
#include "core/memory/intervals.hpp"
#include "core/memory/tensor.hpp"
#include "core/runtime/memory_plan.hpp"

#include <algorithm>
#include <limits>

namespace belay::runtime {
namespace {

constexpr std::size_t kNoSlot = std::numeric_limits<std::size_t>::max();

// The memory in which the kernels find the cache of one layer.
template <class Cache>
belay_tensor_t view_of(Cache& cache, const graph::Value& value) {
  const auto layer = static_cast<std::uint32_t>(value.layer);
  return value.kind == graph::ValueKind::kKeyCache ? cache.keys(layer) : cache.values(layer);
}

// Which slot of scratch each value lies in, and when the slots are alive. A view lies where its source does.
struct Slots {
  std::vector<std::size_t> of_value;  // kNoSlot: not in scratch
  std::vector<memory::Interval> intervals;
};

// How many nodes each node begins a group of, for nodes that are run as one; 0 or 1: of none.
using GroupSizes = std::vector<std::size_t>;

// What a group reads is there until its end, so that its nodes can be run one by one when it fails.
Slots assign_slots(const graph::Graph& graph, std::uint64_t max_tokens, const GroupSizes& groups) {
  Slots slots;
  slots.of_value.assign(graph.values.size(), kNoSlot);
  const auto slot_of = [&](graph::ValueId id) {
    return slots.of_value[graph.values[id].view_of.value_or(id)];
  };
  std::uint32_t group_begin = 0;
  std::uint32_t group_end = 0;  // of the group that a step is in, or else behind the step
  for (std::uint32_t step = 0; step < graph.nodes.size(); ++step) {
    if (step >= group_end) {
      group_begin = step;
      group_end = step + static_cast<std::uint32_t>(std::max<std::size_t>(groups[step], 1));
    }
    const graph::Node& node = graph.nodes[step];
    for (const graph::ValueId id : node.outputs) {
      if (graph.values[id].kind != graph::ValueKind::kActivation) continue;
      slots.of_value[id] = slots.intervals.size();
      slots.intervals.push_back({graph::value_bytes(graph.values[id], max_tokens), step, step});
    }
    for (const graph::ValueId id : node.inputs) {
      const std::size_t slot = slot_of(id);
      if (slot == kNoSlot) continue;
      memory::Interval& interval = slots.intervals[slot];
      const bool from_outside = interval.first < group_begin;
      interval.last = std::max(interval.last, from_outside ? group_end - 1 : step);
    }
  }
  const auto end = static_cast<std::uint32_t>(graph.nodes.size());
  for (const graph::ValueId id : graph.outputs) {
    if (const std::size_t slot = slot_of(id); slot != kNoSlot) slots.intervals[slot].last = end;
  }
  for (graph::ValueId id = 0; id < graph.values.size(); ++id) slots.of_value[id] = slot_of(id);
  return slots;
}

}  // namespace

std::uint64_t scratch_bytes(const graph::Graph& graph, std::uint64_t max_tokens) {
  GroupSizes layers(graph.nodes.size());
  for (std::size_t first = 0, end = 0; first < layers.size(); first = end) {
    while (end < layers.size() && graph.nodes[end].layer == graph.nodes[first].layer) ++end;
    if (graph.nodes[first].layer >= 0) layers[first] = end - first;
  }
  return memory::pack_intervals(assign_slots(graph, max_tokens, layers).intervals).total_bytes;
}

Result<Executor> Executor::create(const graph::Graph& graph, dispatch::Dispatcher& dispatcher,
                                  std::uint64_t max_tokens, const Memory& memory, const Stop& stop) {
  Executor executor(graph, dispatcher, stop);
  executor.weights_ = memory.weights;
  executor.pieces_ = memory.pieces;
  executor.spilled_ = memory.spilled;
  executor.sees_cache_ = memory.cache != nullptr || memory.spilled != nullptr;
  BELAY_TRY(executor.lay_out_values(memory, max_tokens));
  executor.calls_ = dispatch::Calls(graph, executor.tensors_);
  BELAY_TRY_ASSIGN(executor.residence_,
                   dispatch::Residence::create(
                       graph, dispatcher.heads(),
                       {executor.tensors_, executor.offsets_, executor.scratch_.size()}, max_tokens));
  return executor;
}

Status Executor::lay_out_values(const Memory& memory, std::uint64_t max_tokens) {
  GroupSizes groups(graph_->nodes.size());
  for (std::size_t i = 0; i < groups.size(); ++i) groups[i] = dispatcher_->fused(i);
  const Slots slots = assign_slots(*graph_, max_tokens, groups);
  const memory::Packing packing = memory::pack_intervals(slots.intervals);
  BELAY_TRY_ASSIGN(scratch_, memory::Buffer::allocate(packing.total_bytes, "scratch"));
  tensors_.reserve(graph_->values.size());
  offsets_.assign(graph_->values.size(), 0);
  for (std::size_t id = 0; id < graph_->values.size(); ++id) {
    const graph::Value& value = graph_->values[id];
    if (graph::is_cache(value)) {
      tensors_.push_back(memory.spilled != nullptr ? view_of(*memory.spilled, value)
                                                   : view_of(*memory.cache, value));
      continue;
    }
    const std::size_t slot = slots.of_value[id];
    if (slot != kNoSlot) offsets_[id] = packing.offsets[slot];
    void* data = slot == kNoSlot ? nullptr : scratch_.data() + offsets_[id];
    tensors_.push_back(memory::describe(value.dtype, value.shape, data));
  }
  return {};
}

void Executor::set_tokens(std::uint64_t tokens) {
  if (tokens == tokens_) return;
  tokens_ = tokens;
  for (std::size_t id = 0; id < tensors_.size(); ++id) {
    const graph::Value& value = graph_->values[id];
    if (graph::is_cache(value)) continue;
    for (std::uint32_t axis = 0; axis < value.shape.size(); ++axis) {
      if (value.shape[axis] < 0)
        memory::resize(tensors_[id], axis, graph::resolve(value.shape[axis], tokens));
    }
  }
}

bool Executor::can_hand_over_to(const Executor& other) const {
  if (residence_ == nullptr || other.residence_ == nullptr) return false;
  const dispatch::Backend* last = dispatcher_->head(graph_->nodes.size() - 1);
  return last->device() != nullptr && last->healthy() &&
         graph_->nodes.back().outputs[0] == graph_->outputs[0] &&
         other.residence_->takes(other.graph_->inputs[0], *last);
}

void Executor::hand_over(std::uint64_t row, Executor& other) const {
  other.handed_ = residence_->site(graph_->outputs[0]);
  if (!other.handed_) return;
  const auto row_bytes = static_cast<std::uint64_t>(tensors_[graph_->outputs[0]].stride_bytes[0]);
  other.handed_->offset += row * row_bytes;
}

Status Executor::run(std::uint64_t tokens, std::uint64_t position, std::span<const void* const> inputs,
                     Outputs outputs) {
  set_tokens(tokens);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    // The ABI has one descriptor for tensors that are read and that are written; a plugin only reads its
    // inputs.
    tensors_[graph_->inputs[i]].data = const_cast<void*>(inputs[i]);
  }
  dispatcher_->set_divisible(sees_cache_ && tokens / 2 >= kLeastChunk);
  Status done = run_checked(position, outputs);
  handed_.reset();
  // What a device that fails meanwhile takes with it is missed, and said, by the next step.
  if (!done.ok() && residence_ != nullptr) static_cast<void>(residence_->wait_for_copies());
  return done;
}

Status Executor::run_checked(std::uint64_t position, Outputs outputs) {
  const std::size_t calls_before = dispatcher_->recorded_calls();
  Status done = run_without_lost(position, outputs);
  if (!done.ok() || outputs == Outputs::kAnywhere) return done;
  if (outputs_finite()) [[likely]]
    return {};
  const dispatch::Dispatcher::Scrutiny scrutiny(*dispatcher_, calls_before);
  BELAY_TRY(run_without_lost(position, outputs));
  return outputs_finite() ? scrutiny.verdict() : Status();
}

bool Executor::outputs_finite() const {
  for (std::size_t i = 0; i < graph_->outputs.size(); ++i) {
    if (!dispatch::all_finite(output(i))) return false;
  }
  return true;
}

// Each try has a device less.
Status Executor::run_without_lost(std::uint64_t position, Outputs outputs) {
  const std::size_t calls_before = dispatcher_->recorded_calls();
  for (std::size_t devices = residence_ != nullptr ? residence_->devices() : 0;; --devices) {
    Status done = run_nodes(position, outputs);
    if (done.ok()) return done;
    dispatcher_->forget_calls(calls_before);
    if (done.error().code != ErrorCode::kStateLost || residence_->cache_is_lost() || handed_ || devices == 0)
      return done;
  }
}

Status Executor::run_nodes(std::uint64_t position, Outputs outputs) {
  if (residence_ != nullptr) residence_->begin({position, tokens_});
  if (handed_) residence_->input_lies_at(graph_->inputs[0], *handed_);
  for (std::size_t i = 0; i < graph_->nodes.size();) {
    BELAY_TRY(stop_->check());
    BELAY_TRY_ASSIGN(const std::size_t done, run_nodes_from(i, position));
    i += done;
  }
  if (residence_ == nullptr || outputs == Outputs::kAnywhere) return {};
  return dispatcher_->finish(*residence_);
}

// The number of nodes that were run: those that one kernel does, or one. With a cache that does not lie in
// memory as a whole, one at a time.
Result<std::size_t> Executor::run_nodes_from(std::size_t index, std::uint64_t position) {
  if (const std::size_t count = spilled_ == nullptr ? dispatcher_->fused(index) : 0; count > 0) {
    belay_run_t& run = calls_.of(index, count);
    run.position = position;
    BELAY_TRY_ASSIGN(const bool done, dispatcher_->run_fused(index, run, residence_.get()));
    if (done) return count;
  }
  BELAY_TRY(run_node(index, position));
  return std::size_t{1};
}

Status Executor::run_node(std::size_t index, std::uint64_t position) {
  belay_run_t& run = calls_.of(index);
  run.position = position;
  if (weights_ != nullptr) BELAY_TRY(weights_->acquire(index, *stop_));
  if (pieces_ != nullptr) BELAY_TRY(pieces_->acquire(index, *run.inputs[0]));
  if (spilled_ != nullptr) BELAY_TRY(spilled_->acquire(index, {position, tokens_}, *stop_));
  BELAY_TRY(dispatcher_->run(index, run, residence_.get()));
  if (spilled_ != nullptr) BELAY_TRY(spilled_->release(index));
  if (pieces_ != nullptr) pieces_->release(index);
  if (weights_ != nullptr) weights_->release(index);
  return {};
}

std::span<const float> Executor::output(std::size_t index) const {
  const belay_tensor_t& tensor = tensors_[graph_->outputs[index]];
  return {static_cast<const float*>(tensor.data), tensor.nbytes / sizeof(float)};
}

}  // namespace belay::runtime
