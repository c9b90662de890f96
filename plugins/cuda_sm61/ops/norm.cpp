// rms_norm and layer_norm over the last dimension; all leading dimensions are rows.
#include "plugins/cuda_sm61/ops/norm.hpp"

#include "plugins/cpu_kernels/ops/check.hpp"
#include "plugins/cuda_sm61/ops/constants.hpp"
#include "plugins/cuda_sm61/ops/ops.hpp"

#include <memory>

namespace belay::cuda {
namespace {

namespace check = isa_scalar;  // plugins/cpu_kernels/ops/check.hpp in this build

NormShape shape_of(const belay_tensor_t& x) {
  NormShape shape;
  for (std::uint32_t i = 1; i + 1 < x.rank; ++i) shape.rows *= x.shape[i];
  shape.d = x.shape[x.rank - 1];
  return shape;
}

class LayerNorm final : public OpKernel {
 public:
  LayerNorm(Device& device, const belay_op_t& op, const NormShape& shape)
      : OpKernel(device, {tokens_of(shape.per_token())}, {tokens_of(shape.per_token())}),
        shape_(shape),
        weight_(copy_of_constant(device, op, 0, "weight")),
        bias_(copy_of_constant(device, op, 1, "bias")),
        epsilon_(check::accepted_attributes<belay_norm_attributes_t>(op).epsilon) {}

 private:
  void launch(const Call& call) const override {
    LayerNormParams params{};
    params.x = call.input<float>(0);
    params.weight = as_floats(weight_);
    params.bias = as_floats(bias_);
    params.y = call.output<float>(0);
    params.rows = static_cast<int>(call.tokens * shape_.rows);
    params.d = static_cast<int>(shape_.d);
    params.epsilon = epsilon_;
    if (shape_.per_token() > 0) call.launch(kernels::belay_layer_norm, {params.rows}, params);
  }

  NormShape shape_;
  DeviceMemory weight_;
  DeviceMemory bias_;
  float epsilon_;
};

bool is_activation(const belay_tensor_t& x, sdk::Support& answer) {
  using check::kAnySize;
  using check::kTokens;
  if (x.rank == 2) return check::is_tensor(x, "x", BELAY_DTYPE_F32, {kTokens, kAnySize}, answer);
  if (x.rank == 3) return check::is_tensor(x, "x", BELAY_DTYPE_F32, {kTokens, kAnySize, kAnySize}, answer);
  return answer.no(BELAY_UNSUPPORTED, "x has rank %u, not 2 or 3", x.rank);
}

bool supports(const belay_op_t& op, std::uint64_t constants, sdk::Support& answer) {
  belay_norm_attributes_t attributes{};
  if (!check::has_operands(op, 1, constants, constants, 1, answer) ||
      !check::read_attributes(op, attributes, answer)) {
    return false;
  }
  const belay_tensor_t& x = op.inputs[0];
  if (!is_activation(x, answer) || !check::same_shape(x, op.outputs[0], "x and the output", answer))
    return false;
  const NormShape shape = shape_of(x);
  for (std::uint64_t i = 0; i < constants; ++i) {
    const char* name = i == 0 ? "weight" : "bias";
    if (!check::is_tensor(sdk::at(op.constants, i), name, BELAY_DTYPE_F32, {shape.d}, answer)) return false;
  }
  answer.cost_ns = cost_of(12.0 * static_cast<double>(shape.rows) * static_cast<double>(shape.d));
  return true;
}

bool supports_rms(const belay_op_t& op, sdk::Support& answer) { return supports(op, 1, answer); }
bool supports_layer(const belay_op_t& op, sdk::Support& answer) { return supports(op, 2, answer); }

sdk::KernelPtr bind_rms(sdk::Host /*host*/, Device& device, const belay_op_t& op, const Packed& /*packed*/) {
  return std::make_unique<RmsNorm>(device, op);
}
sdk::KernelPtr bind_layer(sdk::Host /*host*/, Device& device, const belay_op_t& op,
                          const Packed& /*packed*/) {
  return std::make_unique<LayerNorm>(device, op, shape_of(op.inputs[0]));
}

}  // namespace

RmsNorm::RmsNorm(Device& device, const belay_op_t& op)
    : OpKernel(device, {tokens_of(shape_of(op.inputs[0]).per_token())},
               {tokens_of(shape_of(op.inputs[0]).per_token())}),
      shape_(shape_of(op.inputs[0])),
      weight_(copy_of_constant(device, op, 0, "weight")),
      epsilon_(check::accepted_attributes<belay_norm_attributes_t>(op).epsilon) {}

RmsNormParams RmsNorm::params(std::int64_t tokens) const {
  RmsNormParams params{};
  params.weight = as_floats(weight_);
  params.rows = static_cast<int>(tokens * shape_.rows);
  params.d = static_cast<int>(shape_.d);
  params.epsilon = epsilon_;
  return params;
}

void RmsNorm::launch(const Call& call) const {
  RmsNormParams params = this->params(call.tokens);
  params.x = call.input<float>(0);
  params.y = call.output<float>(0);
  if (shape_.per_token() > 0) launch_rms_norm(call.launch, params);
}

void launch_rms_norm(Launcher& launch, const RmsNormParams& params) {
  constexpr std::int64_t kRows = 8;  // of a block of warps
  if (params.d <= BELAY_RMS_NORM_SHORT) {
    launch(kernels::belay_rms_norm_short, {steps(params.rows, kRows)}, params);
  } else {
    launch(kernels::belay_rms_norm, {params.rows}, params);
  }
}

constinit const OpRow kRmsNorm = {BELAY_OP_RMS_NORM, &supports_rms, &bind_rms};
constinit const OpRow kLayerNorm = {BELAY_OP_LAYER_NORM, &supports_layer, &bind_layer};

}  // namespace belay::cuda
