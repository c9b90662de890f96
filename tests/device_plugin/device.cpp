// test.device: see README.md. Packed constants are those of the file, one behind the other, so that they have
// to come from the device.
#include "plugins/cpu_kernels/ops/ops.hpp"
#include "tests/device_plugin/instance.hpp"
#include "tests/faulty_plugins/joined.hpp"
#include "tests/faulty_plugins/packing.hpp"

#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <string>

namespace test_device {
namespace {

namespace kernels = belay::BELAY_ISA;

std::uint64_t number(sdk::Host host, std::string_view key, std::uint64_t otherwise) {
  const std::string_view given = host.config(key, "");
  std::from_chars(given.data(), given.data() + given.size(), otherwise);
  return otherwise;
}

std::uint64_t memory_wanted(sdk::Host host) { return number(host, "memory", std::uint64_t{64} << 20U); }

class Kernel final : public sdk::Kernel<Kernel> {
 public:
  Kernel(Memory& memory, std::optional<faulty::Unpacked> unpacked, sdk::KernelPtr sound)
      : memory_(memory), unpacked_(std::move(unpacked)), sound_(std::move(sound)) {}

  [[nodiscard]] uint64_t workspace(uint64_t tokens) const override { return sound_->workspace(tokens); }

  belay_status_t run(const belay_run_t& run) {
    if (unpacked_ && !unpacked_->refresh())
      return sdk::fail(run.error, BELAY_CORRUPT, "the packed constants changed or were freed before release");
    if (run.stream == nullptr) return sound_->belay_kernel_t::run(sound_.get(), &run);
    if (const auto status = memory_.fault().strike_run(tokens_of(run), run.error); status != BELAY_OK)
      return status;
    return run_on_device(run);
  }

 private:
  static constexpr std::size_t kMostOperands = 8;
  struct Operands {
    std::array<belay_tensor_t, kMostOperands> tensors{};
    std::array<const belay_tensor_t*, kMostOperands> pointers{};
  };

  static uint64_t tokens_of(const belay_run_t& run) { return static_cast<uint64_t>(run.inputs[0]->shape[0]); }

  // Operands in host memory are a mistake of the core.
  void resolve(const belay_tensor_t* const* tensors, uint64_t count, Operands& operands) {
    for (uint64_t i = 0; i < count; ++i) {
      belay_tensor_t& tensor = operands.tensors[i] = *tensors[i];
      if (tensor.data != nullptr) throw sdk::Error(BELAY_INVALID_ARGUMENT, "an operand lies in host memory");
      tensor.data = memory_.at(tensor.buffer, tensor.offset, tensor.nbytes);
      operands.pointers[i] = &tensor;
    }
  }

  belay_status_t run_on_device(const belay_run_t& run) {
    Operands inputs;
    Operands outputs;
    resolve(run.inputs, run.input_count, inputs);
    resolve(run.outputs, run.output_count, outputs);
    belay_run_t local = run;
    local.stream = nullptr;
    local.inputs = inputs.pointers.data();
    local.outputs = outputs.pointers.data();
    if (run.workspace_bytes > 0) local.workspace = memory_.at(run.workspace_buffer, 0, run.workspace_bytes);
    return sound_->belay_kernel_t::run(sound_.get(), &local);
  }

  Memory& memory_;
  std::optional<faulty::Unpacked> unpacked_;  // before sound_, which reads from it
  sdk::KernelPtr sound_;
};

}  // namespace

Instance::Instance(sdk::Host host, const belay_open_t& /*options*/)
    : host_(host), fault_(host), memory_(memory_wanted(host), fault_) {}

Instance::~Instance() {
  host_.log(BELAY_LOG_DEBUG, "calls: %llu", static_cast<unsigned long long>(fault_.calls()));
  host_.log(BELAY_LOG_DEBUG, "waits: %llu", static_cast<unsigned long long>(fault_.waits()));
}

belay_status_t Instance::probe(sdk::Host host, belay_device_t* devices, uint64_t capacity, uint64_t* count,
                               belay_error_t* /*error*/) {
  *count = 1;
  if (capacity == 0) return BELAY_OK;
  belay_device_t device{};
  device.kind = BELAY_DEVICE_OTHER;
  device.id = sdk::str("test.device");
  device.name = sdk::str("Host memory in disguise");
  device.memory_bytes = device.memory_free_bytes = memory_wanted(host);
  sdk::write(devices, device);
  return BELAY_OK;
}

const void* Instance::get_interface(std::string_view id) {
  if (id == BELAY_TELEMETRY_1) return telemetry_table();
  return id == BELAY_MEMORY_1 ? memory_table() : nullptr;
}

sdk::Support Instance::supports(const belay_op_t& op) const {
  sdk::Support answer;
  const kernels::OpRow* row = kernels::find_op(sdk::view(op.id));
  if (row == nullptr) {
    answer.no(BELAY_UNSUPPORTED, "the operator is not offered");
  } else {
    answer.confidence_permille = 300;
    row->supports(op, answer);
  }
  return answer;
}

belay_packed_t Instance::packed(const belay_op_t& op) const {
  belay_packed_t form = faulty::packed_form(op);
  form.in_device = form.layout != BELAY_LAYOUT_ROW ? 1 : 0;
  return form;
}

void Instance::pack(const belay_op_t& op, void* buffer, uint64_t bytes) const {
  faulty::pack_constants(op, buffer, bytes);
}

sdk::KernelPtr Instance::bind(const belay_op_t& op, const void* buffer, uint64_t bytes) {
  const sdk::Support answer = supports(op);
  if (answer.yes == 0) throw sdk::Error(answer.reason, "%s", answer.detail);
  belay_op_t plain = op;
  std::optional<faulty::Unpacked> unpacked;
  if (packed(op).layout != BELAY_LAYOUT_ROW) {
    unpacked.emplace(op, buffer, bytes);
    plain.constants = unpacked->constants().data();
  }
  sdk::KernelPtr sound = kernels::find_op(sdk::view(op.id))->bind(host_, plain);
  return std::make_unique<Kernel>(memory_, std::move(unpacked), std::move(sound));
}

sdk::KernelPtr Instance::bind_device(const belay_op_t& op, uint64_t buffer, uint64_t offset, uint64_t bytes) {
  return bind(op, memory_.at(buffer, offset, bytes), bytes);
}

sdk::KernelPtr Instance::fuse(const sdk::Sequence& steps, uint64_t& taken) {
  return faulty::join(steps, number(host_, "join", 0), taken, [this](const belay_tensor_t& tensor) -> void* {
    if (tensor.data != nullptr) return tensor.data;
    return memory_.at(tensor.buffer, tensor.offset, tensor.nbytes);
  });
}

}  // namespace test_device

BELAY_PLUGIN(test_device::Instance, "test.device", "1.0.0")
