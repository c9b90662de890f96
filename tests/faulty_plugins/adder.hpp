// A small sound plugin class that computes `add`: the faulty plugins are this with one thing wrong.
#pragma once

#include <belay/cpp/plugin.hpp>

#include <memory>

namespace faulty {

namespace sdk = belay::sdk;

// What the plugins write through and jump on; volatile, so that the compiler cannot see the fault.
inline volatile int* volatile nowhere = nullptr;
// Where a write dies of SIGSEGV. Not null, which a sanitizer would find before the system does.
inline volatile int* volatile unmapped = reinterpret_cast<volatile int*>(64);

[[noreturn]] inline void hang() {
  for (volatile int spin = 0;;) spin = spin + 1;
}

class Add final : public sdk::Kernel<Add> {
 public:
  explicit Add(float error) : error_(error) {}
  [[nodiscard]] uint64_t workspace(uint64_t /*tokens*/) const override { return 0; }

  belay_status_t run(const belay_run_t& run) {
    if (run.input_count != 2 || run.output_count != 1)
      return sdk::fail(run.error, BELAY_INVALID_ARGUMENT, "add: operands");
    const auto* a = static_cast<const float*>(run.inputs[0]->data);
    const auto* b = static_cast<const float*>(run.inputs[1]->data);
    auto* out = static_cast<float*>(run.outputs[0]->data);
    const uint64_t count = run.outputs[0]->nbytes / sizeof(float);
    for (uint64_t i = 0; i < count; ++i) out[i] = a[i] + b[i] + error_;
    return BELAY_OK;
  }

 private:
  float error_;
};

class Adder {
 public:
  Adder(sdk::Host /*host*/, const belay_open_t& /*options*/) {}

  static belay_status_t probe(sdk::Host /*host*/, belay_device_t* devices, uint64_t capacity, uint64_t* count,
                              belay_error_t* /*error*/) {
    return sdk::probe_cpu(devices, capacity, count);
  }

  [[nodiscard]] sdk::Support supports(const belay_op_t& op) const {
    sdk::Support answer;
    answer.cost_ns = 1;
    answer.confidence_permille = 1000;
    if (sdk::view(op.id) != BELAY_OP_ADD) answer.no(BELAY_UNSUPPORTED, "only " BELAY_OP_ADD);
    return answer;
  }

  [[nodiscard]] sdk::KernelPtr bind(const belay_op_t& op, const void* /*buffer*/, uint64_t /*bytes*/) const {
    if (sdk::view(op.id) != BELAY_OP_ADD) throw sdk::Error(BELAY_UNSUPPORTED, "only " BELAY_OP_ADD);
    return std::make_unique<Add>(0.0F);
  }
};

}  // namespace faulty
