// What dispatch does when a call fails: the next plugin of the chain runs the same op on the same inputs.
#include "core/base/format.hpp"
#include "core/dispatch/dispatcher.hpp"

#include <utility>

namespace belay::dispatch {

// One call of a kernel, where its plugin computes, with its span when there is a trace. An error when there
// is nothing that it could be called with; how the call went is in `status`.
Status Dispatcher::call_kernel(std::size_t index, const Link& link, belay_run_t& host_run,
                               belay_status_t& status) {
  prepare_run(host_run);
  belay_run_t* run = &host_run;
  status = BELAY_OK;
  if (where_ != nullptr) BELAY_TRY(bring_operands(index, link, run, status));
  if (status != BELAY_OK) return {};
  {
    const std::string_view label = labels_.empty() ? std::string_view() : labels_[index];
    const monitoring::Span span(options_.trace, label, link.backend->id());
    status = link.kernel->run(link.kernel, run);
  }
  if (status != BELAY_OK || where_ == nullptr) return {};
  run == &host_run ? where_->written_on_host(index) : where_->written_on_device(index, *link.backend);
  return {};
}

void Dispatcher::completed(const Link& link) {
  link.backend->count_success();
  if (options_.hook != nullptr) options_.hook->recorded.push_back(link.backend_index);
}

// The way of a call that is not the plain one: an assignment is recorded or replayed, a trace is kept, or the
// head is out of use.
Status Dispatcher::run_with_care(std::size_t index, belay_run_t& run) {
  Node& node = nodes_[index];
  if (options_.hook != nullptr && !options_.hook->replay.empty()) return replay(index, run);
  const Link& head = node.links[node.active];
  if (!head.backend->healthy()) {
    return fall_back(index, run, {BELAY_INTERNAL, BELAY_SCOPE_PLUGIN, head.backend->trouble()});
  }
  belay_status_t status = BELAY_OK;
  if (Status called = call_kernel(index, head, run, status); !called.ok())
    return state_lost(std::move(called).error(), head.backend->id());
  if (status != BELAY_OK) return recover(index, run, status);
  completed(head);
  return {};
}

// Runs a call on the plugin that did it in the recorded run, and on no other.
Status Dispatcher::replay(std::size_t index, belay_run_t& run) {
  const AssignmentHook& hook = *options_.hook;
  const std::size_t call = hook.recorded.size();
  if (call >= hook.replay.size())
    return fail(ErrorCode::kGeneral, "replay: the assignment ends after {} calls", call);
  for (Link& link : nodes_[index].links) {
    if (link.backend_index != hook.replay[call]) continue;
    BELAY_TRY(make_ready(index, link));
    belay_status_t status = BELAY_OK;
    BELAY_TRY(call_kernel(index, link, run, status));
    if (status != BELAY_OK) {
      return fail(ErrorCode::kGeneral, "replay: call {}, {} on {}: {}", call, op_label(index),
                  link.backend->id(), text(describe(status, error_)));
    }
    completed(link);
    return {};
  }
  return fail(ErrorCode::kGeneral, "replay: call {} is assigned to a plugin that {} does not have", call,
              op_label(index));
}

Status Dispatcher::recover(std::size_t index, belay_run_t& run, belay_status_t status) {
  if (status == BELAY_CANCELLED) return Error{ErrorCode::kInterrupted, "interrupted"};
  if (asks_for_less(status)) return too_large(op_label(index), *head(index));
  Node& node = nodes_[index];
  Failure failure = note_failure(node.links[node.active], status);
  if (node.links[node.active].dropped) disband_around(index);
  return fall_back(index, run, std::move(failure));
}

Failure Dispatcher::note_failure(Link& link, belay_status_t status) {
  Failure failure = describe(status, error_);
  if (status == BELAY_UNSUPPORTED) {  // after it said yes: it will not be asked about this node again
    failure.scope = BELAY_SCOPE_CONTRACT;
    link.dropped = true;
  }
  link.trouble = text(failure);
  link.backend->count_failure(failure);
  if (where_ != nullptr && is_beyond_the_op(failure)) where_->lost(*link.backend, failure);
  return failure;
}

Error Dispatcher::forbidden(std::size_t index, const Failure& failure) const {
  const Node& node = nodes_[index];
  return fail(ErrorCode::kFallbackForbidden, "{} ({}) failed on {}: {}; --strict forbids a fallback",
              op_label(index), graph_.nodes[index].name, node.links[node.active].backend->id(),
              text(failure));
}

// A device has no memory for a step that can be done in smaller ones: said, and under strict an error for
// good.
Error Dispatcher::too_large(std::string_view what, const Backend& backend) {
  const Failure failure = describe(BELAY_OOM_DEVICE, error_);
  Error error = fail(ErrorCode::kOutOfMemory, "{} failed on {}: {}", what, backend.id(), text(failure));
  if (options_.strict)
    return fail(ErrorCode::kFallbackForbidden, "{}; --strict forbids smaller steps", error.message);
  fallbacks_.record("step", backend.id(), backend.id(), failure);
  return error;
}

// Runs the op on the first plugin behind the active one that can. The active one, which failed, stays the
// head of the chain unless it is out of use.
Status Dispatcher::fall_back(std::size_t index, belay_run_t& run, Failure failure) {
  Node& node = nodes_[index];
  if (options_.strict) return forbidden(index, failure);
  std::vector<std::pair<const Link*, Failure>> failed = {{&node.links[node.active], std::move(failure)}};
  for (std::size_t i = node.active + 1; i < node.links.size(); ++i) {
    Link& link = node.links[i];
    if (link.dropped || !link.backend->healthy() || !make_ready(index, link).ok()) continue;
    belay_status_t status = BELAY_OK;
    if (Status called = call_kernel(index, link, run, status); !called.ok())
      return state_lost(std::move(called).error(), link.backend->id());
    if (status == BELAY_CANCELLED) return Error{ErrorCode::kInterrupted, "interrupted"};
    if (status != BELAY_OK) {
      failed.emplace_back(&link, note_failure(link, status));
      continue;
    }
    for (const auto& [from, why] : failed)
      fallbacks_.record(op_label(index), from->backend->id(), link.backend->id(), why);
    completed(link);
    const Link& head = node.links[node.active];
    if (head.dropped || !head.backend->healthy()) node.active = i;
    return {};
  }
  return nobody_left(index);
}

}  // namespace belay::dispatch
