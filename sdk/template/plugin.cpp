// The smallest useful plugin: silu(gate) * up in plain C++. Copy this folder, change the id here and in
// plugin.toml and CMakeLists.txt, and offer your own operator. What a kernel may and must do:
// <belay/ext/compute.h>.
#include <belay/cpp/plugin.hpp>

#include <cmath>
#include <memory>

namespace {

namespace sdk = belay::sdk;

// A dense f32 tensor [tokens, width] with `width` known and its bytes present.
bool is_matrix(const belay_tensor_t& tensor, int64_t tokens, int64_t width) {
  return tensor.dtype == BELAY_DTYPE_F32 && tensor.layout == BELAY_LAYOUT_ROW && tensor.rank == 2 &&
         tensor.shape[0] == tokens && tensor.shape[1] == width;
}

class SiluMul final : public sdk::Kernel<SiluMul> {
 public:
  SiluMul(sdk::Host host, int64_t width) : host_(host), width_(width) {}

  [[nodiscard]] uint64_t workspace(uint64_t /*tokens*/) const override { return 0; }

  // Shapes are checked again: `supports` saw the description, this is the run.
  belay_status_t run(const belay_run_t& run) {
    if (!is_sound(run)) {
      return sdk::fail(run.error, BELAY_INVALID_ARGUMENT, "silu_mul: operands are not [M, %lld] f32",
                       static_cast<long long>(width_));
    }
    const auto* gate = static_cast<const float*>(run.inputs[0]->data);
    const auto* up = static_cast<const float*>(run.inputs[1]->data);
    auto* out = static_cast<float*>(run.outputs[0]->data);
    const uint64_t count = run.outputs[0]->nbytes / sizeof(float);
    constexpr uint64_t kGrain = 4096;  // elements that are worth a hand-over to another thread
    return host_.parallel_for(count, kGrain, [=](uint64_t begin, uint64_t end, uint32_t /*worker*/) {
      for (uint64_t i = begin; i < end; ++i) out[i] = gate[i] / (1.0F + std::exp(-gate[i])) * up[i];
    });
  }

 private:
  [[nodiscard]] bool is_sound(const belay_run_t& run) const {
    if (run.inputs == nullptr || run.input_count != 2 || run.outputs == nullptr || run.output_count != 1)
      return false;
    const int64_t tokens = run.outputs[0]->shape[0];
    uint64_t bytes = sizeof(float);
    if (tokens < 0 || __builtin_mul_overflow(bytes, tokens, &bytes) ||
        __builtin_mul_overflow(bytes, width_, &bytes))
      return false;
    const auto holds = [&](const belay_tensor_t& tensor) {
      return is_matrix(tensor, tokens, width_) && tensor.nbytes == bytes &&
             (tensor.data != nullptr || bytes == 0);
    };
    return holds(*run.inputs[0]) && holds(*run.inputs[1]) && holds(*run.outputs[0]);
  }

  sdk::Host host_;
  int64_t width_;
};

class Instance {
 public:
  Instance(sdk::Host host, const belay_open_t& /*options*/) : host_(host) {}

  static belay_status_t probe(sdk::Host /*host*/, belay_device_t* devices, uint64_t capacity, uint64_t* count,
                              belay_error_t* /*error*/) {
    return sdk::probe_cpu(devices, capacity, count);
  }

  // Pure: the same answer every time. A NO says why.
  [[nodiscard]] sdk::Support supports(const belay_op_t& op) const noexcept {
    sdk::Support answer;
    if (sdk::view(op.id) != BELAY_OP_SILU_MUL) {
      answer.no(BELAY_UNSUPPORTED, "offers only " BELAY_OP_SILU_MUL);
    } else if (op.input_count != 2 || op.output_count != 1 || op.inputs[0].rank != 2 ||
               op.inputs[0].shape[1] < 0) {
      answer.no(BELAY_INVALID_ARGUMENT, "needs gate, up and one output of a known width");
    } else {
      const int64_t width = op.inputs[0].shape[1];
      const bool fits = is_matrix(op.inputs[0], BELAY_DYNAMIC, width) &&
                        is_matrix(op.inputs[1], BELAY_DYNAMIC, width) &&
                        is_matrix(op.outputs[0], BELAY_DYNAMIC, width);
      if (!fits) answer.no(BELAY_UNSUPPORTED, "operands must be f32 [M, N] of one width");
      answer.cost_ns = 1 + static_cast<uint64_t>(width) * 2;  // about 2 ns an element
      answer.confidence_permille = 300;
    }
    return answer;
  }

  // No constants, so nothing is packed.
  [[nodiscard]] sdk::KernelPtr bind(const belay_op_t& op, const void* /*buffer*/, uint64_t /*bytes*/) const {
    const sdk::Support answer = supports(op);
    if (answer.yes == 0) throw sdk::Error(answer.reason, "%s", answer.detail);
    return std::make_unique<SiluMul>(host_, op.inputs[0].shape[1]);
  }

 private:
  sdk::Host host_;
};

}  // namespace

BELAY_PLUGIN(Instance, "example.silu_mul", "0.1.0")
