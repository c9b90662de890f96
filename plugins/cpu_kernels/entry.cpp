// The plugin around the kernels: one device, the machine's CPU, and belay.compute/1.
#include "plugins/cpu_kernels/ops/ops.hpp"

#include <belay/cpp/plugin.hpp>

namespace belay::BELAY_ISA {

const OpRow* find_op(std::string_view id) {
  static constexpr const OpRow* kRows[] = {&kEmbed,   &kLinear,    &kRmsNorm, &kLayerNorm, &kRope,
                                           &kKvWrite, &kAttention, &kSiluMul, &kGelu,      &kAdd};
  for (const OpRow* row : kRows) {
    if (row->id == id) return row;
  }
  return nullptr;
}

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

  // Kernels compute on the file's own layout, so the constants carry the bytes and there is no buffer.
  [[nodiscard]] sdk::KernelPtr bind(const belay_op_t& op, const void*, uint64_t) const {
    const sdk::Support answer = supports(op);
    if (answer.yes == 0) throw sdk::Error(answer.reason, "%s", answer.detail);
    return find_op(sdk::view(op.id))->bind(host_, op);
  }

 private:
  sdk::Host host_;
};

}  // namespace belay::BELAY_ISA

BELAY_PLUGIN(belay::BELAY_ISA::CpuInstance, BELAY_CPU_PLUGIN_ID, BELAY_CPU_PLUGIN_VERSION)
