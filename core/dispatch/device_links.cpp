// Links of a chain whose plugin computes on a device with a memory of its own.
#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/dispatch/dispatcher.hpp"
#include "core/dispatch/op_description.hpp"

#include <algorithm>
#include <cstring>

namespace belay::dispatch {
namespace {

void fill(belay_error_t& error, const Failure& failure) {
  error.code = failure.code;
  error.scope = failure.scope;
  const std::size_t size = std::min(failure.message.size(), sizeof error.message - 1);
  std::memcpy(error.message, failure.message.data(), size);
  error.message[size] = '\0';
}

}  // namespace

std::vector<Backend*> Dispatcher::heads() const {
  std::vector<Backend*> heads;
  for (std::size_t i = 0; i < nodes_.size(); ++i) heads.push_back(head(i));
  return heads;
}

std::uint64_t Dispatcher::device_bytes(std::size_t index) {
  Backend& backend = *head(index);
  const auto compute = backend.compute();
  if (!compute.ok() || backend.device() == nullptr) return 0;
  const OpDescription description(graph_, graph_.nodes[index], backend.numerics());
  const belay_op_t op = description.op();
  belay_packed_t form = {};
  form.struct_size = sizeof form;
  belay_error_t error = empty_error();
  const bool said = compute->table->packed(compute->instance, &op, &form, &error) == BELAY_OK;
  return said && form.in_device != 0 ? form.bytes : 0;
}

bool Dispatcher::leave_devices(std::size_t index, std::string_view why) {
  disband_around(index);
  Node& node = nodes_[index];
  for (Link& link : node.links) {
    if (link.dropped || link.backend->device() == nullptr) continue;
    unbind(link);
    link.dropped = true;
    link.trouble = why;
  }
  skip_unusable(node);
  return node.active < node.links.size();
}

bool Dispatcher::goes_to_device(const Link& link, const Compute& compute, const belay_packed_t& form) const {
  return form.in_device != 0 && form.layout != BELAY_LAYOUT_ROW && link.backend->device() != nullptr &&
         compute.table->bind_device != nullptr;
}

// Packs in host memory that is needed only until the device has its copy.
Status Dispatcher::bind_on_device(std::size_t index, const belay_op_t& op, const Compute& compute,
                                  const belay_packed_t& form, Link& link) {
  Device& device = *link.backend->device();
  BELAY_TRY_ASSIGN(link.on_device, device.allocate(form.bytes, "packed weights"));
  PackedWeights staging;
  staging.reserve(PackedWeights::room_for(form));
  BELAY_TRY_ASSIGN(const std::span<std::byte> packed, staging.take(form));
  BELAY_TRY(pack_into(packed, index, op, compute));
  Trouble trouble = device.copy_in({link.on_device.handle(), 0}, packed);
  if (!trouble) trouble = device.wait();
  if (trouble) return fail(ErrorCode::kNoPlugin, "copying packed weights: {}", text(*trouble));
  belay_error_t error = empty_error();
  const auto status = compute.table->bind_device(compute.instance, &op, link.on_device.handle(), 0,
                                                 form.bytes, &link.kernel, &error);
  if (status == BELAY_OK && link.kernel != nullptr) return {};
  link.kernel = nullptr;
  return fail(ErrorCode::kNoPlugin, "bind_device: {}", text(describe(status, error)));
}

// What was there stays when there is no room for more.
Status Dispatcher::reserve_device_workspace(Device& device, std::uint64_t bytes) {
  constexpr const char* kWhat = "the workspace of operators";
  const auto is_it = [&](const DeviceWorkspace& known) { return known.device == &device; };
  auto known = std::find_if(device_workspaces_.begin(), device_workspaces_.end(), is_it);
  if (known == device_workspaces_.end()) known = device_workspaces_.insert(known, {&device, {}});
  const std::uint64_t before = known->buffer.bytes();
  if (bytes <= before) return {};
  known->buffer = {};  // first, so that its memory serves the larger one
  auto larger = device.allocate(bytes, kWhat);
  if (larger.ok()) {
    known->buffer = *std::move(larger);
    return {};
  }
  if (before > 0) {
    BELAY_TRY_ASSIGN(known->buffer, device.allocate(before, kWhat));
  }
  return larger.error();
}

// Sets `run` to the arguments with which the link's plugin is to be called.
Status Dispatcher::bring_operands(std::size_t index, const Link& link, belay_run_t*& run,
                                  belay_status_t& status) {
  if (!where_->serves(index, *link.backend)) return where_->to_host(index);
  BELAY_TRY(bring_to_device(index, *link.backend, status));
  if (status == BELAY_OK) run = &arguments_on_device(index, 1, *link.backend);
  return {};
}

// In `status` and error_ is what the device says when it does not take the operands.
Status Dispatcher::bring_to_device(std::size_t index, const Backend& backend, belay_status_t& status) {
  BELAY_TRY_ASSIGN(const Trouble trouble, where_->to_device(index, backend));
  if (!trouble) return {};
  fill(error_, *trouble);
  status = trouble->code;
  return {};
}

// Of `count` nodes from `first` on.
belay_run_t& Dispatcher::arguments_on_device(std::size_t first, std::size_t count, const Backend& backend) {
  belay_run_t& run = where_->arguments(first, count, backend);
  run.error = &error_;
  for (const DeviceWorkspace& workspace : device_workspaces_) {
    if (workspace.device != backend.device()) continue;
    run.workspace_buffer = workspace.buffer.handle();
    run.workspace_bytes = workspace.buffer.bytes();
  }
  return run;
}

// A device went with what was computed on it: said, and under strict an error for good.
Status Dispatcher::state_lost(Error error, std::string_view to) {
  if (error.code != ErrorCode::kStateLost) return error;
  const Residence::Loss& loss = where_->loss();
  if (loss.backend == nullptr) return error;
  if (options_.strict)
    return fail(ErrorCode::kFallbackForbidden, "{} failed: {}; --strict forbids a fallback",
                loss.backend->id(), text(loss.failure));
  fallbacks_.record("step", loss.backend->id(), to, loss.failure);
  return error;
}

Status Dispatcher::finish(Residence& where) {
  where_ = &where;
  Status fetched = where.outputs_to_host();
  if (fetched.ok()) return {};
  return state_lost(std::move(fetched).error(), "the next of each chain");
}

}  // namespace belay::dispatch
