// Runs one graph, node after node, over memory that is laid out once: values that are never alive together
// share scratch. Allocates nothing after it was made. One thread at a time.
#pragma once

#include "core/dispatch/calls.hpp"
#include "core/dispatch/dispatcher.hpp"
#include "core/graph/graph.hpp"
#include "core/memory/buffer.hpp"
#include "core/memory/kv_cache.hpp"
#include "core/runtime/file_pieces.hpp"
#include "core/runtime/kv_stream.hpp"
#include "core/runtime/stop.hpp"
#include "core/runtime/weight_stream.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace belay::runtime {

// Bytes of scratch that a graph needs for steps of at most `max_tokens` tokens, when plugins run whole layers
// as one. What is in no layer can add some when it is run as one, too.
[[nodiscard]] std::uint64_t scratch_bytes(const graph::Graph& graph, std::uint64_t max_tokens);

class Executor {
 public:
  // What a graph may need besides: with attention `cache`, or `spilled` when it has no place in memory;
  // `weights` when some are streamed, `pieces` when it reads its file by the piece.
  struct Memory {
    memory::KvCache* cache = nullptr;
    KvStream* spilled = nullptr;
    WeightStream* weights = nullptr;
    FilePieces* pieces = nullptr;
  };
  // Where results are to be after a run. Those that stay where they are are not looked at.
  enum class Outputs { kOnHost, kAnywhere };

  // All arguments must outlive the executor.
  [[nodiscard]] static Result<Executor> create(const graph::Graph& graph, dispatch::Dispatcher& dispatcher,
                                               std::uint64_t max_tokens, const Memory& memory,
                                               const Stop& stop);

  // One step of 1 to max_tokens tokens, the first at cache position `position`. `inputs` are in the order of
  // the graph's. A step that gives NaN or infinity is computed once more, with an eye on every plugin.
  // One that a failing device takes with it is computed again without it, unless rows of the cache are lost,
  // too: kStateLost, and nothing of the cache may be used before forget_cache(). With a cache, kOutOfMemory
  // when a device has no memory for so many tokens and half of them are a step worth trying. After an error
  // nothing reads the inputs any more.
  [[nodiscard]] Status run(std::uint64_t tokens, std::uint64_t position, std::span<const void* const> inputs,
                           Outputs outputs = Outputs::kOnHost);

  // Whether the first output and the first input of another graph are computed on one device; then the rows
  // of the output from `row` on can be handed over for the next run of the other, without a way over the
  // host.
  [[nodiscard]] bool can_hand_over_to(const Executor& other) const;
  void hand_over(std::uint64_t row, Executor& other) const;

  // Calls recorded so far by the dispatch hook, for a step that is done again.
  [[nodiscard]] std::size_t recorded_calls() const { return dispatcher_->recorded_calls(); }
  void forget_calls(std::size_t calls_before) { dispatcher_->forget_calls(calls_before); }

  void forget_cache() {
    if (residence_ != nullptr) residence_->forget();
  }
  [[nodiscard]] bool uses_devices() const { return residence_ != nullptr; }

  // Rows of one of the graph's outputs; valid until the next run.
  [[nodiscard]] std::span<const float> output(std::size_t index = 0) const;

 private:
  Executor(const graph::Graph& graph, dispatch::Dispatcher& dispatcher, const Stop& stop)
      : graph_(&graph), dispatcher_(&dispatcher), stop_(&stop) {}

  Status lay_out_values(const Memory& memory, std::uint64_t max_tokens);
  void set_tokens(std::uint64_t tokens);
  Status run_checked(std::uint64_t position, Outputs outputs);
  Status run_without_lost(std::uint64_t position, Outputs outputs);
  Status run_nodes(std::uint64_t position, Outputs outputs);
  Result<std::size_t> run_nodes_from(std::size_t index, std::uint64_t position);
  Status run_node(std::size_t index, std::uint64_t position);
  [[nodiscard]] bool outputs_finite() const;

  const graph::Graph* graph_;
  dispatch::Dispatcher* dispatcher_;
  const Stop* stop_;
  WeightStream* weights_ = nullptr;
  FilePieces* pieces_ = nullptr;
  KvStream* spilled_ = nullptr;
  memory::Buffer scratch_;
  bool sees_cache_ = false;                         // so that what a step does several smaller ones can do
  std::vector<belay_tensor_t> tensors_;             // one for each value, in host memory
  std::vector<std::uint64_t> offsets_;              // of those in scratch
  std::unique_ptr<dispatch::Residence> residence_;  // when some plugin has a device
  dispatch::Calls calls_;
  std::optional<dispatch::Residence::Site> handed_;  // the first input of this run
  std::uint64_t tokens_ = 0;
};

}  // namespace belay::runtime
