// Where the values of a graph are at the moment: in host memory, in the memory of a device, or in both.
// Before a call its inputs are brought to where it runs; what it writes is then current only there. So data
// crosses between host and device where one layer ends and another begins, and after a failure, nowhere else.
// Everything is allocated at the start. One thread at a time.
#pragma once

#include "core/dispatch/backend.hpp"
#include "core/dispatch/calls.hpp"
#include "core/dispatch/device.hpp"
#include "core/graph/graph.hpp"

#include <belay/ext/compute.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace belay::dispatch {

// Positions of the cache that a step writes.
struct StepExtent {
  std::uint64_t position = 0;  // of its first token
  std::uint64_t tokens = 0;
};

class Residence {
 public:
  // How the values lie in host memory, which outlives this object.
  struct Host {
    std::span<const belay_tensor_t> tensors;  // of each value; their shapes and inputs change between steps
    std::span<const std::uint64_t> offsets;   // of each value that lies in scratch
    std::uint64_t scratch_bytes = 0;
  };

  // `heads`: the plugin of each node's chain that is to run it. Null when none of them has a device.
  // Errors as Device::allocate(), when a device has no room for scratch and the caches of its layers.
  [[nodiscard]] static Result<std::unique_ptr<Residence>> create(const graph::Graph& graph,
                                                                 std::span<Backend* const> heads,
                                                                 const Host& host, std::uint64_t max_tokens);

  // A step begins: its inputs are in host memory, everything else but the caches is of no use any more.
  void begin(const StepExtent& step);

  // Where a value lies on a device, when it is current there.
  struct Site {
    const Backend* backend = nullptr;
    std::uint64_t buffer = 0;
    std::uint64_t offset = 0;
  };
  [[nodiscard]] std::optional<Site> site(graph::ValueId id) const;
  // Whether the node that first takes an input runs on the device of that backend.
  [[nodiscard]] bool takes(graph::ValueId input, const Backend& backend) const;
  // After begin(): an input that is not in host memory but there, until the next begin(). What its descriptor
  // in host memory names is where it goes when it is needed there.
  void input_lies_at(graph::ValueId input, const Site& site);

  // Whether a node's operands have a place on the device of `backend`.
  [[nodiscard]] bool serves(std::size_t node, const Backend& backend) const;

  // Brings the inputs of a node to where it will run: the device of a backend that serves it, or the host.
  // kStateLost when something is nowhere any more: its device failed, and is out of use.
  [[nodiscard]] Status to_host(std::size_t node);
  // A trouble is that of the device, while the inputs are still where they were.
  [[nodiscard]] Result<Trouble> to_device(std::size_t node, const Backend& backend);
  // The results of the graph to the host. kStateLost as above.
  [[nodiscard]] Status outputs_to_host();
  // What a node wrote, too, so that it can be looked at.
  [[nodiscard]] Status results_to_host(std::size_t node);

  // The arguments of `count` nodes from `first` on, on the device of a backend that serves them; until the
  // next call.
  [[nodiscard]] belay_run_t& arguments(std::size_t first, std::size_t count, const Backend& backend);

  // A node was run there: what it wrote is current only there.
  void written_on_host(std::size_t node) { written(node, kHost); }
  void written_on_device(std::size_t node, const Backend& backend);

  // Until no copy reads host memory any more. A device that fails is out of use.
  Status wait_for_copies();

  // The device that failed last, and how.
  struct Loss {
    const Backend* backend = nullptr;
    Failure failure;
  };
  [[nodiscard]] const Loss& loss() const { return loss_; }

  // Everything on the device of a backend is gone.
  void lost(const Backend& backend, const Failure& failure);
  [[nodiscard]] std::size_t devices() const { return places_.size(); }
  // Whether rows of a cache went with a device: all that was seen must be seen again, after forget().
  [[nodiscard]] bool cache_is_lost() const;
  // All caches are empty.
  void forget();

 private:
  // Bit 0 of `current_` is the host, bit p + 1 is places_[p].
  static constexpr std::uint32_t kHost = 1;

  struct Place {
    Backend* backend = nullptr;
    Device* device = nullptr;
    std::uint32_t bit = 0;
    DeviceBuffer scratch;
    std::vector<std::uint64_t> offsets;  // in it, of each value
    std::vector<DeviceBuffer> caches;
    std::vector<belay_tensor_t> tensors;  // of each value; buffer 0: it has no place here
    Calls calls;
  };

  Residence(const graph::Graph& graph, const Host& host) : graph_(graph), host_(host) {}
  Status add_place(Backend& backend, std::span<Backend* const> heads, std::uint64_t max_tokens);
  Status place_caches(Place& place, std::span<Backend* const> heads);
  void copy_shapes();
  void written(std::size_t node, std::uint32_t bit);

  [[nodiscard]] graph::ValueId source(graph::ValueId id) const {
    return graph_.values[id].view_of.value_or(id);
  }
  [[nodiscard]] const Place* place_of(const Backend& backend) const;
  [[nodiscard]] Place* place_of(const Backend& backend);
  // Positions of the cache that matter to a node.
  [[nodiscard]] std::uint64_t positions_for(std::size_t node) const {
    const bool only_older = graph_.nodes[node].op == graph::Op::kKvWrite;
    return step_.position + (only_older ? 0 : step_.tokens);
  }

  Status fetch(std::span<const graph::ValueId> ids, std::uint64_t positions);
  Trouble start_fetch(graph::ValueId id, Place& from, std::uint64_t positions);
  Trouble send(graph::ValueId id, Place& to, std::uint64_t positions);
  template <class Copy>
  Trouble each_part(graph::ValueId id, const Place& place, std::uint64_t positions, Copy copy);
  Status fail_device(Place& place, Failure failure);

  const graph::Graph& graph_;
  Host host_;
  std::vector<Backend*> heads_;  // of each node
  std::vector<Place> places_;
  std::vector<std::uint32_t> current_;               // of each value: where it is up to date
  std::vector<std::vector<graph::ValueId>> needs_;   // of each node: what it reads, sources of views
  std::vector<std::vector<graph::ValueId>> writes_;  // of each node
  std::vector<graph::ValueId> outputs_;              // of the graph, sources of views
  StepExtent step_;
  Loss loss_;
};

}  // namespace belay::dispatch
