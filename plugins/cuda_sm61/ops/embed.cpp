// embed: rows of the table, unpacked from the file's own layout.
#include "plugins/cpu_kernels/ops/check.hpp"
#include "plugins/cuda_sm61/ops/constants.hpp"
#include "plugins/cuda_sm61/ops/op_kernel.hpp"
#include "plugins/cuda_sm61/ops/ops.hpp"
#include "plugins/cuda_sm61/weights/format.hpp"

#include <memory>

namespace belay::cuda {
namespace {

namespace check = isa_scalar;  // plugins/cpu_kernels/ops/check.hpp in this build

class Embed final : public OpKernel {
 public:
  Embed(Device& device, const belay_op_t& op)
      : OpKernel(device, {tokens_of(1)}, {tokens_of(op.constants[0].shape[1])}),
        table_(copy_of_constant(device, op, 0, "table")),
        type_(op.constants[0].dtype),
        vocab_(op.constants[0].shape[0]),
        width_(op.constants[0].shape[1]) {
    check::row_bytes(type_, width_, row_bytes_);
  }

 private:
  [[nodiscard]] belay_status_t check_host(const belay_run_t& run) const override {
    const belay_tensor_t& ids = *run.inputs[0];
    const auto* id = static_cast<const std::int32_t*>(ids.data);
    for (std::int64_t t = 0; t < ids.shape[0]; ++t) {
      if (id[t] >= -1 && id[t] < vocab_) continue;
      return sdk::fail(run.error, BELAY_INVALID_ARGUMENT, "embed: token id %d is outside [-1, %lld)", id[t],
                       static_cast<long long>(vocab_));
    }
    return BELAY_OK;
  }

  void launch(const Call& call) const override {
    EmbedParams params{};
    params.table = reinterpret_cast<const void*>(table_.address());
    params.ids = call.input<int>(0);
    params.y = call.output<float>(0);
    params.row_bytes = static_cast<long long>(row_bytes_);
    params.width = static_cast<int>(width_);
    params.vocab = static_cast<int>(vocab_);
    params.type = type_;
    if (width_ > 0) call.launch(kernels::belay_embed, {call.tokens}, params);
  }

  DeviceMemory table_;
  std::int32_t type_;
  std::int64_t vocab_;
  std::int64_t width_;
  std::uint64_t row_bytes_ = 0;
};

bool supports(const belay_op_t& op, sdk::Support& answer) {
  if (!check::has_operands(op, 1, 1, 1, 1, answer)) return false;
  const belay_tensor_t& table = op.constants[0];
  if (weight_format(table.dtype) == nullptr) {
    return answer.no(BELAY_UNSUPPORTED, "table has dtype %d, which is no weight type", table.dtype);
  }
  if (!check::is_tensor(table, "table", table.dtype, {check::kAnySize, check::kAnySize}, answer) ||
      !check::is_tensor(op.inputs[0], "ids", BELAY_DTYPE_I32, {check::kTokens}, answer) ||
      !check::is_tensor(op.outputs[0], "output", BELAY_DTYPE_F32, {check::kTokens, table.shape[1]}, answer)) {
    return false;
  }
  answer.cost_ns = cost_of(8.0 * static_cast<double>(table.shape[1]));
  return true;
}

sdk::KernelPtr bind(sdk::Host /*host*/, Device& device, const belay_op_t& op, const Packed& /*packed*/) {
  return std::make_unique<Embed>(device, op);
}

}  // namespace

constinit const OpRow kEmbed = {BELAY_OP_EMBED, &supports, &bind};

}  // namespace belay::cuda
