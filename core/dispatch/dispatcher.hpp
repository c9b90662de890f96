// Runs the nodes of one graph, each on the first healthy plugin of its chain. When a call fails, the next
// plugin runs the same op on the same inputs, and the fallback is counted. One thread at a time; plugins
// spread the work themselves.
#pragma once

#include "core/base/status.hpp"
#include "core/dispatch/backend.hpp"
#include "core/dispatch/failure.hpp"
#include "core/dispatch/packed_weights.hpp"
#include "core/dispatch/residence.hpp"
#include "core/graph/graph.hpp"
#include "core/memory/buffer.hpp"
#include "core/monitoring/trace.hpp"

#include <belay/ext/compute.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace belay::dispatch {

// Which backend did each call, in the order of the calls over all graphs of an engine. Recording one run and
// replaying it in another gives both the same assignment of ops to plugins; tests compare a run with faults
// to one without.
struct AssignmentHook {
  std::vector<std::uint8_t> recorded;  // index of the backend that completed each call
  std::vector<std::uint8_t> replay;    // when not empty: the backend that each call must run on
};

struct DispatchOptions {
  bool strict = false;  // a fallback is an error
  AssignmentHook* hook = nullptr;
  monitoring::Trace* trace = nullptr;  // gets a span for every call of a kernel
};

// Indices into the backends, best first, for each node of the graph.
using Chains = std::vector<std::vector<std::uint8_t>>;

class Dispatcher {
 public:
  // The graph, the backends and the log must outlive the dispatcher; the trace is to be written before it
  // ends.
  Dispatcher(const graph::Graph& graph, std::span<const std::unique_ptr<Backend>> backends,
             const Chains& chains, FallbackLog& fallbacks, const DispatchOptions& options);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // Opens the plugin that heads each chain and asks whether it supports the node; one that says no leaves the
  // chain. kNoPlugin when a chain becomes empty. Binds nothing.
  [[nodiscard]] Status confirm();

  // What runs of at most `max_tokens` tokens will need as workspace, as far as the plugins can say before
  // anything is packed. After confirm().
  [[nodiscard]] std::uint64_t workspace_bytes(std::uint64_t max_tokens);

  // Which weights are packed where the plugin can do without. One that was made in memory stays there beside
  // its packed form.
  enum class Pack { kAll, kFromFiles };

  // Packs and binds the head of every chain, for runs of at most `max_tokens` tokens. After confirm().
  [[nodiscard]] Status bind(std::uint64_t max_tokens, Pack pack = Pack::kAll);

  // Binds these nodes again, after their weights moved; what they had packed is given back, and they are in
  // no group any more. Errors as bind().
  [[nodiscard]] Status rebind(std::span<const std::size_t> nodes);

  // Workspace for runs of at most `max_tokens` tokens from here on, when that is more than before.
  [[nodiscard]] Status reserve(std::uint64_t max_tokens);

  // The plugin that heads the chain of a node, and of each. After confirm().
  [[nodiscard]] Backend* head(std::size_t index) const { return head_link(index).backend; }
  [[nodiscard]] std::vector<Backend*> heads() const;
  // What the head of a node wants to keep of its constants on its device; 0 for one that has none.
  [[nodiscard]] std::uint64_t device_bytes(std::size_t index);
  // No plugin that was opened and has a device heads a node any more; confirm() asks who does then. False:
  // there is none.
  bool leave_devices(std::size_t index, std::string_view why);

  // Whether what runs from here on can be done again in smaller steps. If so, nobody takes the place of a
  // device that is out of memory: kOutOfMemory, which does not count against it.
  void set_divisible(bool divisible) { divisible_ = divisible; }

  // Runs node `index`. `run` has its tensors and position set, in host memory; workspace and error are the
  // dispatcher's. `where` knows where the operands are when some plugin has a device.
  // kInterrupted when the plugin saw the cancel token, kFallbackForbidden under strict, kNoPlugin when every
  // link failed, kStateLost when a device went with operands of the node.
  [[nodiscard]] Status run(std::size_t index, belay_run_t& run, Residence* where = nullptr) {
    Node& node = nodes_[index];
    Link& link = node.links[node.active];
    where_ = where;
    if (plain_ && where == nullptr && link.backend->healthy()) [[likely]] {
      prepare_run(run);
      const belay_status_t status = link.kernel->run(link.kernel, &run);
      if (status == BELAY_OK) [[likely]] {
        link.backend->count_success();
        return {};
      }
      return recover(index, run, status);
    }
    return scrutinised_ ? run_scrutinised(index, run) : run_with_care(index, run);
  }

  // How many nodes from `index` on are one call at the moment, because the plugin has a kernel that does the
  // work of all of them; 0: node `index` begins no such group. Between two bind() groups only become fewer.
  [[nodiscard]] std::size_t fused(std::size_t index) const;
  // Runs such a group; `run` has the arguments of all its nodes (calls.hpp). False: its nodes are to be run
  // one by one, because its kernel failed, which is said, or their operands are not in one place. Errors as
  // run().
  [[nodiscard]] Result<bool> run_fused(std::size_t index, belay_run_t& run, Residence* where = nullptr);

  // Brings what the graph computed to the host. Errors as run().
  [[nodiscard]] Status finish(Residence& where);

  // Calls that the hook has recorded so far; 0 without one.
  [[nodiscard]] std::size_t recorded_calls() const {
    return options_.hook != nullptr ? options_.hook->recorded.size() : 0;
  }
  // Of a step that is done again.
  void forget_calls(std::size_t calls_before) {
    if (options_.hook != nullptr) options_.hook->recorded.resize(calls_before);
  }

  // For its lifetime the result of every call is looked at: one that is NaN or infinite though its inputs are
  // not counts as a failure, and the next plugin of the chain does the call. For the second try of a step
  // whose outcome was not finite; what the hook recorded of the first, behind `calls_before`, is forgotten.
  class Scrutiny {
   public:
    Scrutiny(Dispatcher& dispatcher, std::size_t calls_before);
    Scrutiny(const Scrutiny&) = delete;
    Scrutiny& operator=(const Scrutiny&) = delete;
    ~Scrutiny();
    // After a second try that went well. When nobody was caught, that is said, or under strict an error; a
    // kernel of several nodes was not asked again, and is not any more.
    [[nodiscard]] Status verdict() const;

   private:
    Dispatcher& dispatcher_;
  };

  // The plugins that remain in the chain of a node, best first.
  [[nodiscard]] std::vector<std::string> chain(std::size_t index) const;
  // Bytes that this dispatcher holds beyond what the model's files have: workspace, and packed weights for as
  // far as they do not stand for bytes of a file.
  [[nodiscard]] std::uint64_t bytes() const;

 private:
  struct Link {
    Backend* backend = nullptr;
    std::uint8_t backend_index = 0;
    bool confirmed = false;  // supports() said yes
    bool dropped = false;    // said no, could not be bound, or broke its word
    std::string trouble;     // why it was dropped, or how it failed last
    belay_kernel_t* kernel = nullptr;
    std::span<std::byte> packed;  // in packed_
    DeviceBuffer on_device;       // the same, for a plugin with a device
  };
  struct Node {
    std::vector<Link> links;
    std::size_t active = 0;
  };

  [[nodiscard]] const Link& head_link(std::size_t index) const {
    const Node& node = nodes_[index];
    return node.links[node.active];
  }

  // Nodes that one kernel does the work of.
  struct Group {
    std::size_t count = 0;  // 0: none
    belay_kernel_t* kernel = nullptr;
    Backend* backend = nullptr;
    std::uint8_t backend_index = 0;
    std::string label;
  };

  void prepare_run(belay_run_t& run) {
    error_.code = BELAY_OK;
    run.error = &error_;
    run.workspace = workspace_.data();
    run.workspace_bytes = workspace_.size();
  }
  [[nodiscard]] std::string op_label(std::size_t index) const;
  // dispatcher.cpp: from chains to bound kernels
  bool confirm_heads_of(const Backend& backend);
  void skip_unusable(Node& node);
  Status bind_node(std::size_t index);
  void unbind(Link& link);
  Status make_ready(std::size_t index, Link& link);
  Status bind_link(std::size_t index, const belay_op_t& op, const Compute& compute, Link& link);
  template <class Visit>
  void for_each_head(Visit visit);
  [[nodiscard]] std::uint64_t room_for_heads();
  [[nodiscard]] bool has_weight_at(std::size_t index, graph::Home home) const;
  [[nodiscard]] bool is_to_pack(std::size_t index, const belay_packed_t& form) const;
  Status pack(std::size_t index, const belay_op_t& op, const Compute& compute, const belay_packed_t& form,
              Link& link);
  Status pack_into(std::span<std::byte> memory, std::size_t index, const belay_op_t& op,
                   const Compute& compute) const;
  [[nodiscard]] std::uint64_t bytes_replaced(std::size_t index) const;
  Status reserve_workspace(Backend& backend, const belay_kernel_t* kernel);
  // device_links.cpp: plugins that compute on a device
  [[nodiscard]] bool goes_to_device(const Link& link, const Compute& compute,
                                    const belay_packed_t& form) const;
  Status bind_on_device(std::size_t index, const belay_op_t& op, const Compute& compute,
                        const belay_packed_t& form, Link& link);
  Status reserve_device_workspace(Device& device, std::uint64_t bytes);
  Status bring_operands(std::size_t index, const Link& link, belay_run_t*& run, belay_status_t& status);
  Status bring_to_device(std::size_t index, const Backend& backend, belay_status_t& status);
  belay_run_t& arguments_on_device(std::size_t first, std::size_t count, const Backend& backend);
  Status state_lost(Error error, std::string_view to);
  [[nodiscard]] Error nobody_left(std::size_t index) const;
  // fused.cpp: kernels that do the work of several nodes
  [[nodiscard]] std::size_t end_of_sequence(std::size_t first) const;
  void fuse();
  void fuse_sequence(std::size_t first, std::size_t end, const Compute& compute,
                     std::span<const std::size_t> last_readers);
  bool keep_group(std::size_t first, std::uint64_t taken, belay_kernel_t* kernel,
                  std::span<belay_kernel_t* const> bound);
  static void disband(Group& group);
  void disband_around(std::size_t index);
  void disband_all();
  [[nodiscard]] bool is_in_one_place(std::size_t index) const;
  Status bring_group(std::size_t index, belay_run_t*& run, belay_status_t& status);
  Status give_up(Group& group, const Failure& failure);
  // recovery.cpp: what happens when a call fails, or is watched
  Status call_kernel(std::size_t index, const Link& link, belay_run_t& host_run, belay_status_t& status);
  Status run_with_care(std::size_t index, belay_run_t& run);
  Status replay(std::size_t index, belay_run_t& run);
  Status recover(std::size_t index, belay_run_t& run, belay_status_t status);
  Status fall_back(std::size_t index, belay_run_t& run, Failure failure);
  [[nodiscard]] Error forbidden(std::size_t index, const Failure& failure) const;
  Failure note_failure(Link& link, belay_status_t status);
  [[nodiscard]] bool asks_for_less(belay_status_t status) const {
    return divisible_ && status == BELAY_OOM_DEVICE;
  }
  Error too_large(std::string_view what, const Backend& backend);
  void completed(const Link& link);
  // canary.cpp: wrong results
  Status run_scrutinised(std::size_t index, belay_run_t& run);
  Status do_better(std::size_t index, belay_run_t& run, const Failure& failure);
  Status find_wrong(std::size_t index, const belay_run_t& run, bool& wrong);

  const graph::Graph& graph_;
  std::span<const std::unique_ptr<Backend>> backends_;
  FallbackLog& fallbacks_;
  DispatchOptions options_;
  bool plain_;  // nobody watches the calls
  bool divisible_ = false;
  bool scrutinised_ = false;
  bool caught_ = false;              // a wrong result, since scrutiny began
  std::vector<std::string> labels_;  // of the nodes, when there is a trace
  std::vector<Node> nodes_;
  std::vector<Group> groups_;  // of each node that begins one; empty before bind()
  Pack pack_ = Pack::kAll;
  PackedWeights packed_;
  memory::Buffer workspace_;
  struct DeviceWorkspace {
    Device* device = nullptr;
    DeviceBuffer buffer;
  };
  std::vector<DeviceWorkspace> device_workspaces_;
  Residence* where_ = nullptr;  // of the call that is running
  std::uint64_t max_tokens_ = 0;
  belay_error_t error_ = {};
};

}  // namespace belay::dispatch
