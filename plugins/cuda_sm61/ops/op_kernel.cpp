#include "plugins/cuda_sm61/ops/op_kernel.hpp"

#include <belay/cpp/guard.hpp>

#include <algorithm>

namespace belay::cuda {
namespace {

using Places = std::array<Place, Operands::kMost>;

std::uint64_t aligned(std::uint64_t bytes) {
  return (bytes + Arena::kAlignment - 1) / Arena::kAlignment * Arena::kAlignment;
}

// Gives each operand a place behind `end`.
void lay_out(std::span<const Operand> operands, Places& places, std::uint64_t& end) {
  for (std::size_t i = 0; i < operands.size(); ++i) {
    places[i] = {end, operands[i].block_count};
    end += aligned(operands[i].copied_bytes());
  }
}

// A run from host memory: the copies around its kernels.
class HostRun {
 public:
  HostRun(const belay_run_t& run, const Operands& operands, Staging& staging)
      : run_(run), operands_(operands), staging_(staging) {}

  [[nodiscard]] Result upload(const Places& places) const {
    const auto inputs = operands_.inputs();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (const Result result = upload_one(inputs[i], places[i]); result != kSuccess) return result;
    }
    return kSuccess;
  }

  [[nodiscard]] Result download(const Places& places) const {
    const auto outputs = operands_.outputs();
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (const Result result = download_one(outputs[i], places[i]); result != kSuccess) return result;
    }
    return kSuccess;
  }

 private:
  static std::uint64_t block_bytes(const Operand& cache) { return BELAY_KV_BLOCK * cache.shape.bytes; }
  static std::byte* head_of(const Operand& cache, std::int64_t head) {
    const auto blocks = static_cast<std::uint64_t>(head * cache.tensor->shape[1]);
    return static_cast<std::byte*>(cache.tensor->data) + blocks * block_bytes(cache);
  }

  [[nodiscard]] Result upload_one(const Operand& input, const Place& place) const {
    if (input.shape.kind == OperandShape::Kind::kTokens) {
      return staging_.upload(place.address, input.tensor->data, input.bytes);
    }
    const std::uint64_t size = static_cast<std::uint64_t>(input.block_count) * block_bytes(input);
    for (std::int64_t head = 0; head < input.shape.heads; ++head) {
      const DevicePointer to = place.address + static_cast<std::uint64_t>(head) * size;
      if (const Result result = staging_.upload(to, head_of(input, head), size); result != kSuccess)
        return result;
    }
    return kSuccess;
  }

  // Of a cache, the rows of the run's positions alone: what else lies in their blocks is not ours.
  [[nodiscard]] Result download_one(const Operand& output, const Place& place) const {
    if (output.shape.kind == OperandShape::Kind::kTokens) {
      return staging_.download(output.tensor->data, place.address, output.bytes);
    }
    const std::uint64_t size = static_cast<std::uint64_t>(output.block_count) * block_bytes(output);
    const std::uint64_t skipped = (run_.position % BELAY_KV_BLOCK) * output.shape.bytes;
    const std::uint64_t wanted = static_cast<std::uint64_t>(operands_.tokens()) * output.shape.bytes;
    for (std::int64_t head = 0; head < output.shape.heads; ++head) {
      std::byte* to = head_of(output, head) + run_.position * output.shape.bytes;
      const DevicePointer from = place.address + static_cast<std::uint64_t>(head) * size + skipped;
      if (const Result result = staging_.download(to, from, wanted); result != kSuccess) return result;
    }
    return kSuccess;
  }

  const belay_run_t& run_;
  const Operands& operands_;
  Staging& staging_;
};

}  // namespace

OpKernel::OpKernel(Device& device, std::initializer_list<OperandShape> inputs,
                   std::initializer_list<OperandShape> outputs)
    : device_(device), input_count_(inputs.size()), output_count_(outputs.size()) {
  std::copy(inputs.begin(), inputs.end(), inputs_.begin());
  std::copy(outputs.begin(), outputs.end(), outputs_.begin());
}

Operands OpKernel::operands_of(const belay_run_t& run) const {
  return {run, std::span(inputs_.data(), input_count_), std::span(outputs_.data(), output_count_)};
}

belay_status_t OpKernel::run(const belay_run_t& run) {
  return run.stream != nullptr ? run_queued(run) : run_from_host(run);
}

belay_status_t enter(const Device& device, belay_error_t* error) {
  const Result entered = device.context().enter();
  return entered == kSuccess ? BELAY_OK : fail(error, entered, "run: entering the device's context");
}

belay_status_t OpKernel::locate(const belay_run_t& run, Located& found) const {
  const Operands operands = operands_of(run);
  if (operands.status() != BELAY_OK) return operands.status();
  found.tokens = operands.tokens();
  found.position = static_cast<std::int64_t>(run.position);
  return operands.find(device_.buffers(), found.inputs, found.outputs);
}

belay_status_t find_workspace(const Device& device, const belay_run_t& run, std::uint64_t bytes,
                              DevicePointer& workspace) {
  Buffer room;
  const bool has_room = bytes == 0 || (sdk::has(run, &belay_run_t::workspace_buffer) &&
                                       device.buffers().find(run.workspace_buffer, room) &&
                                       room.type == kDeviceBuffer && room.bytes >= bytes);
  workspace = room.device;
  if (has_room) return BELAY_OK;
  return sdk::fail(run.error, BELAY_INVALID_ARGUMENT, "run: no workspace of %llu bytes in a device buffer",
                   static_cast<unsigned long long>(bytes));
}

belay_status_t OpKernel::run_queued(const belay_run_t& run) {
  Located found;
  DevicePointer room = 0;
  belay_status_t status = locate(run, found);
  if (status != BELAY_OK || found.tokens == 0) return status;
  status = find_workspace(device_, run, workspace(static_cast<std::uint64_t>(found.tokens)), room);
  if (status == BELAY_OK) status = enter(device_, run.error);
  if (status != BELAY_OK) return status;
  Launcher launcher(device_, *reinterpret_cast<const Stream*>(run.stream));
  launch({launcher, found.tokens, found.position, found.inputs, found.outputs, room});
  return launcher.result() == kSuccess ? BELAY_OK : fail(run.error, launcher.result(), "run: launching");
}

belay_status_t OpKernel::run_from_host(const belay_run_t& run) {
  const Operands operands = operands_of(run);
  if (operands.status() != BELAY_OK || operands.tokens() == 0) return operands.status();
  if (const belay_status_t entered = enter(device_, run.error); entered != BELAY_OK) return entered;
  if (const belay_status_t checked = check_host(run); checked != BELAY_OK) return checked;
  Places inputs{};
  Places outputs{};
  std::uint64_t end = 0;
  lay_out(operands.inputs(), inputs, end);
  lay_out(operands.outputs(), outputs, end);
  const std::uint64_t room = workspace(static_cast<std::uint64_t>(operands.tokens()));
  if (room > 0 && (run.workspace == nullptr || run.workspace_bytes < room)) {  // not used, and still the rule
    return sdk::fail(run.error, BELAY_INVALID_ARGUMENT, "run: the workspace has %llu bytes, %llu are needed",
                     static_cast<unsigned long long>(run.workspace_bytes),
                     static_cast<unsigned long long>(room));
  }

  Device::HostWork work = device_.host_work();
  DevicePointer base = 0;
  if (const Result got = device_.scratch(end + room, base); got != kSuccess) {
    return fail(run.error, got, "run: memory for operands on the device");
  }
  for (Places* places : {&inputs, &outputs}) {
    for (Place& place : *places) place.address += base;
  }
  const HostRun copies(run, operands, work.staging);
  Launcher launcher(device_, work.stream);
  const char* step = "run: copying the inputs";
  Result result = copies.upload(inputs);
  if (result == kSuccess) {
    step = "run: launching";
    const std::int64_t before = operands.first_block() * BELAY_KV_BLOCK;
    launch({launcher, operands.tokens(), static_cast<std::int64_t>(run.position) - before, inputs, outputs,
            base + end});
    result = launcher.result();
  }
  if (result == kSuccess) {
    step = "run: copying the outputs";
    result = copies.download(outputs);
  }
  if (result == kSuccess) {
    step = "run: waiting for the device";
    result = work.staging.finish();
  }
  if (result == kSuccess) return BELAY_OK;
  work.staging.abandon();
  return fail(run.error, result, step);
}

}  // namespace belay::cuda
