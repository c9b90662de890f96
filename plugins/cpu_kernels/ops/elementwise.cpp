// Operators that work element by element: silu_mul, gelu, add.
#include "plugins/cpu_kernels/ops/check.hpp"
#include "plugins/cpu_kernels/ops/ops.hpp"
#include "plugins/cpu_kernels/simd/math.hpp"

#include <algorithm>
#include <memory>

namespace belay::BELAY_ISA {
namespace {

F32 silu_mul(F32 gate, F32 up) { return silu(gate) * up; }
F32 add(F32 a, F32 b) { return a + b; }
// x Phi(x) = max(x, 0) - |x| erfc(|x| / sqrt 2) / 2, which keeps its digits for negative x. The last term is
// 0 but for -infinity, where x Phi(x) is NaN.
F32 gelu_erf(F32 x, F32) {
  const F32 size = min(splat(40.0f), abs(x));
  const F32 gelu = max(zero(), x) - size * splat(0.5f) * erfc(size * splat(0.70710678f));
  return mul_add(min(zero(), x), zero(), gelu);
}
// 0.5 (1 + tanh u) is 1 / (1 + e^-2u), which keeps its digits for negative u.
F32 gelu_tanh(F32 x, F32) {
  const F32 cube = mul_add(x * x * splat(0.044715f), x, x);
  return x / (splat(1.0f) + exp(cube * splat(-1.59576912f)));
}

// One or two inputs of the same shape; the function is a template argument so that the loop is a vector loop.
template <F32 (*kFunction)(F32, F32), int kInputs>
class Elementwise final : public sdk::Kernel<Elementwise<kFunction, kInputs>> {
 public:
  Elementwise(sdk::Host host, int64_t per_token, double element_ns)
      : host_(host), per_token_(per_token), element_ns_(element_ns) {}

  [[nodiscard]] uint64_t workspace(uint64_t) const override { return 0; }

  belay_status_t run(const belay_run_t& arguments) {
    Operands operands(arguments, kInputs, 1);
    const int64_t tokens = operands.tokens();
    const float* a = operands.floats(0, tokens, static_cast<uint64_t>(per_token_));
    const float* b = kInputs == 2 ? operands.floats(1, tokens, static_cast<uint64_t>(per_token_)) : a;
    float* out = operands.out_floats(0, tokens, static_cast<uint64_t>(per_token_));
    if (operands.status() != BELAY_OK) return operands.status();
    const int64_t count = tokens * per_token_;
    constexpr int64_t kStep = 64;  // elements: a cache line's worth and more, so that threads share none
    return host_.parallel_for(
        static_cast<uint64_t>((count + kStep - 1) / kStep), grain_for(kSlowness * element_ns_ * kStep),
        [&](uint64_t begin, uint64_t end, uint32_t) {
          const auto from = static_cast<int64_t>(begin) * kStep;
          const auto to = std::min(static_cast<int64_t>(end) * kStep, count);
          for (int64_t i = from; i < to; i += kLanes) {
            const int64_t rest = to - i;
            store_upto(kFunction(load_upto(a + i, rest), load_upto(b + i, rest)), out + i, rest);
          }
        });
  }

 private:
  sdk::Host host_;
  int64_t per_token_;
  double element_ns_;
};

bool supports(const belay_op_t& op, uint64_t inputs, double element_ns, sdk::Support& answer) {
  if (!has_operands(op, inputs, 0, 0, 1, answer)) return false;
  const belay_tensor_t& a = op.inputs[0];
  if (!is_tensor(a, "the first input", BELAY_DTYPE_F32, {kTokens, kAnySize}, answer)) return false;
  if (inputs == 2 && !same_shape(a, sdk::at(op.inputs, 1), "the inputs", answer)) return false;
  if (!same_shape(a, op.outputs[0], "the input and the output", answer)) return false;
  answer.cost_ns = 50 + static_cast<uint64_t>(kSlowness * element_ns * static_cast<double>(a.shape[1]));
  return true;
}

template <F32 (*kFunction)(F32, F32), int kInputs>
sdk::KernelPtr make(sdk::Host host, const belay_op_t& op, double element_ns) {
  return std::make_unique<Elementwise<kFunction, kInputs>>(host, op.inputs[0].shape[1], element_ns);
}

constexpr double kAddNs = 0.15;
constexpr double kExpNs = 0.6;

bool supports_silu_mul(const belay_op_t& op, sdk::Support& answer) { return supports(op, 2, kExpNs, answer); }
sdk::KernelPtr bind_silu_mul(sdk::Host host, const belay_op_t& op) {
  return make<&silu_mul, 2>(host, op, kExpNs);
}

bool supports_gelu(const belay_op_t& op, sdk::Support& answer) {
  belay_gelu_attributes_t attributes{};
  if (!read_attributes(op, attributes, answer)) return false;
  if (attributes.form != BELAY_GELU_ERF && attributes.form != BELAY_GELU_TANH) {
    return answer.no(BELAY_UNSUPPORTED, "unknown form of gelu %d", attributes.form);
  }
  return supports(op, 1, kExpNs, answer);
}
sdk::KernelPtr bind_gelu(sdk::Host host, const belay_op_t& op) {
  return accepted_attributes<belay_gelu_attributes_t>(op).form == BELAY_GELU_ERF
             ? make<&gelu_erf, 1>(host, op, kExpNs)
             : make<&gelu_tanh, 1>(host, op, kExpNs);
}

bool supports_add(const belay_op_t& op, sdk::Support& answer) { return supports(op, 2, kAddNs, answer); }
sdk::KernelPtr bind_add(sdk::Host host, const belay_op_t& op) { return make<&add, 2>(host, op, kAddNs); }

}  // namespace

constinit const OpRow kSiluMul = {BELAY_OP_SILU_MUL, &supports_silu_mul, &bind_silu_mul};
constinit const OpRow kGelu = {BELAY_OP_GELU, &supports_gelu, &bind_gelu};
constinit const OpRow kAdd = {BELAY_OP_ADD, &supports_add, &bind_add};

}  // namespace belay::BELAY_ISA
