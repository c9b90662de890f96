// The plugin around the kernels: one device, the machine's CPU, and belay.compute/1.
#include "plugins/cpu_kernels/ops/ops.hpp"

#include <belay/cpp/plugin.hpp>

namespace belay::BELAY_ISA {

class CpuInstance {
 public:
  CpuInstance(sdk::Host host, const belay_open_t& options) : host_(host) {
    if (options.device_index != 0) throw sdk::Error(BELAY_NO_DEVICE, "there is one device, number 0");
  }

  static belay_status_t probe(sdk::Host, belay_device_t* devices, uint64_t capacity, uint64_t* count,
                              belay_error_t*) {
    return sdk::probe_cpu(devices, capacity, count);
  }

  [[nodiscard]] sdk::Support supports(const belay_op_t& op) const {
    sdk::Support answer;
    const OpRow* row = find_op(sdk::view(op.id));
    if (row == nullptr) {
      answer.no(BELAY_UNSUPPORTED, "the operator is not offered");
    } else {
      answer.determinism = BELAY_DETERMINISM_BITWISE;
      answer.confidence_permille = 300;
      row->supports(op, answer);
    }
    return answer;
  }

  [[nodiscard]] belay_packed_t packed(const belay_op_t& op) const {
    const uint64_t bytes = packed_bytes(accepted(op), op);
    return {sizeof(belay_packed_t), bytes > 0 ? kPackedLayout : uint32_t{BELAY_LAYOUT_ROW}, bytes, 64, 1, 0};
  }

  void pack(const belay_op_t& op, void* buffer, uint64_t bytes) const {
    const OpRow& row = accepted(op);
    const uint64_t needed = packed_bytes(row, op);
    if (needed == 0 || bytes < needed)
      throw sdk::Error(BELAY_INVALID_ARGUMENT, "pack: a buffer of %llu bytes for %llu",
                       static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(needed));
    const belay_status_t status = row.pack(host_, op, buffer);
    if (status != BELAY_OK) throw sdk::Error(status, "pack: the host's threads failed");
  }

  // Without a buffer kernels compute on the file's own layout.
  [[nodiscard]] sdk::KernelPtr bind(const belay_op_t& op, const void* buffer, uint64_t bytes) const {
    const OpRow& row = accepted(op);
    const uint64_t needed = buffer != nullptr ? packed_bytes(row, op) : 0;
    if (needed == 0) return row.bind(host_, op);
    if (bytes < needed) throw sdk::Error(BELAY_INVALID_ARGUMENT, "bind: the packed weights are cut");
    return row.bind_packed(host_, op, buffer);
  }

  [[nodiscard]] sdk::KernelPtr fuse(const sdk::Sequence& steps, uint64_t& taken) const {
    return join_linears(steps, taken);
  }

 private:
  static constexpr uint32_t kPackedLayout = 1;  // quant/packed.hpp

  [[nodiscard]] const OpRow& accepted(const belay_op_t& op) const {
    const sdk::Support answer = supports(op);
    if (answer.yes == 0) throw sdk::Error(answer.reason, "%s", answer.detail);
    return *find_op(sdk::view(op.id));
  }

  static uint64_t packed_bytes(const OpRow& row, const belay_op_t& op) {
    return row.packed_bytes != nullptr ? row.packed_bytes(op) : 0;
  }

  sdk::Host host_;
};

}  // namespace belay::BELAY_ISA

BELAY_PLUGIN(belay::BELAY_ISA::CpuInstance, BELAY_CPU_PLUGIN_ID, BELAY_CPU_PLUGIN_VERSION)
