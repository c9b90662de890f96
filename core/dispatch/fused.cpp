// Kernels that do the work of several nodes: made of bound ones after binding, run in their place, and given
// up when they fail.
#include "core/base/format.hpp"
#include "core/base/log.hpp"
#include "core/dispatch/dispatcher.hpp"
#include "core/dispatch/sequence.hpp"

#include <algorithm>
#include <utility>

namespace belay::dispatch {

// Where the nodes end that belong to the layer of node `first` and run on its plugin, from memory that stays.
std::size_t Dispatcher::end_of_sequence(std::size_t first) const {
  const Backend* backend = head(first);
  const int layer = graph_.nodes[first].layer;
  std::size_t end = first;
  while (end < nodes_.size() && head(end) == backend && graph_.nodes[end].layer == layer &&
         head_link(end).kernel != nullptr && !has_weight_at(end, graph::Home::kRing)) {
    ++end;
  }
  return end;
}

void Dispatcher::fuse() {
  groups_.resize(nodes_.size());
  const std::vector<std::size_t> last_readers = dispatch::last_readers(graph_);
  for (std::size_t first = 0; first < nodes_.size();) {
    const std::size_t end = end_of_sequence(first);
    const auto compute = head(first)->compute();
    if (end > first + 1 && compute.ok() && compute->table->fuse != nullptr)
      fuse_sequence(first, end, *compute, last_readers);
    first = std::max(end, first + 1);
  }
}

// Offers the sequence from each of its nodes on that is not in a group yet.
void Dispatcher::fuse_sequence(std::size_t first, std::size_t end, const Compute& compute,
                               std::span<const std::size_t> last_readers) {
  std::vector<belay_kernel_t*> kernels;
  for (std::size_t i = first; i < end; ++i) kernels.push_back(head_link(i).kernel);
  Sequence sequence(graph_, last_readers, first, kernels, head(first)->numerics());
  for (std::size_t i = first; i + 1 < end;) {
    const std::span<const belay_step_t> steps = sequence.from(i);
    std::uint64_t taken = 0;
    belay_kernel_t* kernel = nullptr;
    belay_error_t error = empty_error();
    const auto status =
        compute.table->fuse(compute.instance, steps.data(), steps.size(), &taken, &kernel, &error);
    if (status != BELAY_OK) {
      log(LogLevel::kWarn, "{} cannot join {} and what follows: {}", head(i)->id(), graph_.nodes[i].name,
          text(describe(status, error)));
    }
    const bool joined =
        status == BELAY_OK && keep_group(i, taken, kernel, std::span(kernels).subspan(i - first));
    i += joined ? static_cast<std::size_t>(taken) : 1;
  }
}

// What a plugin answered for the nodes from `first` on, whose own kernels are `bound`. False: no group.
bool Dispatcher::keep_group(std::size_t first, std::uint64_t taken, belay_kernel_t* kernel,
                            std::span<belay_kernel_t* const> bound) {
  if (kernel == nullptr) return false;
  const Link& link = head_link(first);
  const bool is_new = std::find(bound.begin(), bound.end(), kernel) == bound.end();
  const bool sound = is_new && taken > 1 && taken <= bound.size();
  Group group = {static_cast<std::size_t>(taken), kernel, link.backend, link.backend_index,
                 format("{} x{}", op_label(first), taken)};
  if (sound && reserve_workspace(*link.backend, kernel).ok()) {
    groups_[first] = std::move(group);
    return true;
  }
  log(LogLevel::kWarn, "{} cannot join {} and what follows: {}", link.backend->id(), graph_.nodes[first].name,
      sound ? "there is no memory for its workspace" : "its answer makes no sense");
  if (is_new) disband(group);
  return false;
}

void Dispatcher::disband(Group& group) {
  if (group.kernel == nullptr) return;
  if (const auto compute = group.backend->compute(); compute.ok()) compute->table->release(group.kernel);
  group.kernel = nullptr;
  group.count = 0;  // the label stays: a trace may have it
}

// The group that a node is in.
void Dispatcher::disband_around(std::size_t index) {
  for (std::size_t first = 0; first <= index && first < groups_.size(); ++first) {
    if (first + groups_[first].count > index) disband(groups_[first]);
  }
}

void Dispatcher::disband_all() {
  for (Group& group : groups_) disband(group);
}

std::size_t Dispatcher::fused(std::size_t index) const {
  const bool one_by_one = scrutinised_ || (options_.hook != nullptr && !options_.hook->replay.empty());
  if (one_by_one || groups_.empty()) return 0;
  const Group& group = groups_[index];
  return group.count > 0 && group.backend->healthy() ? group.count : 0;
}

Result<bool> Dispatcher::run_fused(std::size_t index, belay_run_t& host_run, Residence* where) {
  Group& group = groups_[index];
  where_ = where;
  prepare_run(host_run);
  belay_run_t* run = &host_run;
  belay_status_t status = BELAY_OK;
  if (where_ != nullptr) {
    if (!is_in_one_place(index)) return false;
    if (Status brought = bring_group(index, run, status); !brought.ok())
      return state_lost(std::move(brought).error(), group.backend->id()).error();
  }
  if (status == BELAY_OK) {
    const monitoring::Span span(options_.trace, group.label, group.backend->id());
    status = group.kernel->run(group.kernel, run);
  }
  if (status == BELAY_CANCELLED) return Error{ErrorCode::kInterrupted, "interrupted"};
  if (asks_for_less(status)) return too_large(group.label, *group.backend);
  if (status != BELAY_OK) {
    BELAY_TRY(give_up(group, describe(status, error_)));
    return false;
  }
  for (std::size_t i = 0; i < group.count; ++i) {
    group.backend->count_success();
    if (options_.hook != nullptr) options_.hook->recorded.push_back(group.backend_index);
  }
  return true;
}

// Whether all operands of a group have a place on its plugin's device, or none is to be there.
bool Dispatcher::is_in_one_place(std::size_t index) const {
  const Group& group = groups_[index];
  const bool on_device = where_->serves(index, *group.backend);
  for (std::size_t i = index + 1; i < index + group.count; ++i) {
    if (where_->serves(i, *group.backend) != on_device) return false;
  }
  return true;
}

// As bring_operands() for each node of a group: what one of them writes is there for the next.
Status Dispatcher::bring_group(std::size_t index, belay_run_t*& run, belay_status_t& status) {
  const Group& group = groups_[index];
  const bool on_device = where_->serves(index, *group.backend);
  for (std::size_t i = index; i < index + group.count; ++i) {
    BELAY_TRY(on_device ? bring_to_device(i, *group.backend, status) : where_->to_host(i));
    if (status != BELAY_OK) return {};
    on_device ? where_->written_on_device(i, *group.backend) : where_->written_on_host(i);
  }
  if (on_device) run = &arguments_on_device(index, group.count, *group.backend);
  return {};
}

// The nodes of the group are run one by one from here on.
Status Dispatcher::give_up(Group& group, const Failure& failure) {
  Backend& backend = *group.backend;
  backend.count_failure(failure);
  if (where_ != nullptr && is_beyond_the_op(failure)) where_->lost(backend, failure);
  if (options_.strict)
    return fail(ErrorCode::kFallbackForbidden, "{} failed on {}: {}; --strict forbids a fallback",
                group.label, backend.id(), text(failure));
  fallbacks_.record(group.label, backend.id(), backend.healthy() ? backend.id() : "the next of each chain",
                    failure);
  disband(group);
  return {};
}

}  // namespace belay::dispatch
