// Operators that work element by element: add, silu_mul, gelu.
#include "plugins/cpu_kernels/ops/check.hpp"
#include "plugins/cuda_sm61/ops/op_kernel.hpp"
#include "plugins/cuda_sm61/ops/ops.hpp"

#include <algorithm>
#include <memory>

namespace belay::cuda {
namespace {

namespace check = isa_scalar;  // plugins/cpu_kernels/ops/check.hpp in this build

// Enough blocks to fill every multiprocessor a few times over; 4 elements a thread and step.
Grid grid_for(const Launcher& launch, std::int64_t elements, unsigned threads) {
  const std::int64_t most = std::int64_t{16} * std::max(launch.multiprocessors(), 1);
  return {std::clamp<std::int64_t>(steps(elements, std::int64_t{4} * threads), 1, most)};
}

class Add final : public OpKernel {
 public:
  Add(Device& device, std::int64_t per_token)
      : OpKernel(device, {tokens_of(per_token), tokens_of(per_token)}, {tokens_of(per_token)}),
        per_token_(per_token) {}

 private:
  void launch(const Call& call) const override {
    const std::int64_t count = call.tokens * per_token_;
    if (count == 0) return;
    call.launch(kernels::belay_add, grid_for(call.launch, count, kernels::belay_add.threads),
                {call.input<float>(0), call.input<float>(1), call.output<float>(0), count});
  }

  std::int64_t per_token_;
};

class SiluMul final : public OpKernel {
 public:
  SiluMul(Device& device, std::int64_t per_token)
      : OpKernel(device, {tokens_of(per_token), tokens_of(per_token)}, {tokens_of(per_token)}),
        per_token_(per_token) {}

 private:
  void launch(const Call& call) const override {
    SiluMulParams params{};
    params.gate = call.input<float>(0);
    params.up = call.input<float>(1);
    params.y = call.output<float>(0);
    params.count = call.tokens * per_token_;
    if (params.count == 0) return;
    call.launch(kernels::belay_silu_mul, grid_for(call.launch, params.count, kernels::belay_silu_mul.threads),
                params);
  }

  std::int64_t per_token_;
};

class Gelu final : public OpKernel {
 public:
  Gelu(Device& device, std::int64_t per_token, bool tanh_form)
      : OpKernel(device, {tokens_of(per_token)}, {tokens_of(per_token)}),
        per_token_(per_token),
        tanh_form_(tanh_form) {}

 private:
  void launch(const Call& call) const override {
    GeluParams params{};
    params.x = call.input<float>(0);
    params.y = call.output<float>(0);
    params.count = call.tokens * per_token_;
    params.tanh_form = tanh_form_ ? 1 : 0;
    if (params.count == 0) return;
    call.launch(kernels::belay_gelu, grid_for(call.launch, params.count, kernels::belay_gelu.threads),
                params);
  }

  std::int64_t per_token_;
  bool tanh_form_;
};

bool supports(const belay_op_t& op, std::uint64_t inputs, sdk::Support& answer) {
  if (!check::has_operands(op, inputs, 0, 0, 1, answer)) return false;
  const belay_tensor_t& a = op.inputs[0];
  if (!check::is_tensor(a, "the first input", BELAY_DTYPE_F32, {check::kTokens, check::kAnySize}, answer))
    return false;
  if (inputs == 2 && !check::same_shape(a, sdk::at(op.inputs, 1), "the inputs", answer)) return false;
  if (!check::same_shape(a, op.outputs[0], "the input and the output", answer)) return false;
  answer.cost_ns = cost_of(4.0 * static_cast<double>(inputs + 1) * static_cast<double>(a.shape[1]));
  return true;
}

bool supports_two(const belay_op_t& op, sdk::Support& answer) { return supports(op, 2, answer); }

bool supports_gelu(const belay_op_t& op, sdk::Support& answer) {
  belay_gelu_attributes_t attributes{};
  if (!check::read_attributes(op, attributes, answer)) return false;
  if (attributes.form != BELAY_GELU_ERF && attributes.form != BELAY_GELU_TANH) {
    return answer.no(BELAY_UNSUPPORTED, "unknown form of gelu %d", attributes.form);
  }
  return supports(op, 1, answer);
}

template <class Op>
sdk::KernelPtr bind_two(sdk::Host /*host*/, Device& device, const belay_op_t& op, const Packed& /*packed*/) {
  return std::make_unique<Op>(device, op.inputs[0].shape[1]);
}

sdk::KernelPtr bind_gelu(sdk::Host /*host*/, Device& device, const belay_op_t& op, const Packed& /*packed*/) {
  const auto form = check::accepted_attributes<belay_gelu_attributes_t>(op).form;
  return std::make_unique<Gelu>(device, op.inputs[0].shape[1], form == BELAY_GELU_TANH);
}

}  // namespace

constinit const OpRow kAdd = {BELAY_OP_ADD, &supports_two, &bind_two<Add>};
constinit const OpRow kSiluMul = {BELAY_OP_SILU_MUL, &supports_two, &bind_two<SiluMul>};
constinit const OpRow kGelu = {BELAY_OP_GELU, &supports_gelu, &bind_gelu};

}  // namespace belay::cuda
