// embed: rows of the table, unpacked.
#include "plugins/cpu_kernels/ops/check.hpp"
#include "plugins/cpu_kernels/ops/ops.hpp"
#include "plugins/cpu_kernels/quant/unpack.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

namespace belay::BELAY_ISA {
namespace {

class Embed final : public sdk::Kernel<Embed> {
 public:
  Embed(sdk::Host host, const uint8_t* table, int32_t dtype, int64_t vocab, int64_t width)
      : host_(host), table_(table), vocab_(vocab), width_(width), unpack_(unpack_rows(dtype)) {
    row_bytes(dtype, width, row_bytes_);
  }

  [[nodiscard]] uint64_t workspace(uint64_t) const override { return 0; }

  belay_status_t run(const belay_run_t& arguments) {
    Operands operands(arguments, 1, 1);
    const int64_t tokens = operands.tokens();
    const auto* ids = static_cast<const int32_t*>(operands.input(0, tokens, 4));
    float* out = operands.out_floats(0, tokens, static_cast<uint64_t>(width_));
    if (operands.status() != BELAY_OK || tokens == 0) return operands.status();
    for (int64_t t = 0; t < tokens; ++t) {
      if (ids[t] < -1 || ids[t] >= vocab_) {
        return sdk::fail(arguments.error, BELAY_INVALID_ARGUMENT, "embed: token id %d is outside [-1, %lld)",
                         ids[t], static_cast<long long>(vocab_));
      }
    }
    return host_.parallel_for(static_cast<uint64_t>(tokens),
                              grain_for(kSlowness * static_cast<double>(width_) / 4),
                              [&](uint64_t begin, uint64_t end, uint32_t) {
                                for (uint64_t t = begin; t < end; ++t)
                                  row(ids[t], out + static_cast<int64_t>(t) * width_);
                              });
  }

 private:
  void row(int32_t id, float* out) const {
    if (id < 0) {
      std::fill_n(out, width_, 0.0f);
      return;
    }
    Rows rows;
    row_pointers(table_, row_bytes_, id, 1, rows);
    unpack_(rows, 1, 0, width_, out, width_);
  }

  sdk::Host host_;
  const uint8_t* table_;
  int64_t vocab_;
  int64_t width_;
  uint64_t row_bytes_ = 0;
  UnpackRows unpack_;
};

bool supports(const belay_op_t& op, sdk::Support& answer) {
  if (!has_operands(op, 1, 1, 1, 1, answer)) return false;
  const belay_tensor_t& table = op.constants[0];
  if (unpack_rows(table.dtype) == nullptr) {
    return answer.no(BELAY_UNSUPPORTED, "table has dtype %d, which is no weight type", table.dtype);
  }
  if (!is_tensor(table, "table", table.dtype, {kAnySize, kAnySize}, answer) ||
      !is_tensor(op.inputs[0], "ids", BELAY_DTYPE_I32, {kTokens}, answer) ||
      !is_tensor(op.outputs[0], "output", BELAY_DTYPE_F32, {kTokens, table.shape[1]}, answer)) {
    return false;
  }
  answer.cost_ns = 100 + static_cast<uint64_t>(kSlowness * static_cast<double>(table.shape[1]) / 4);
  return true;
}

sdk::KernelPtr bind(sdk::Host host, const belay_op_t& op) {
  const belay_tensor_t& table = op.constants[0];
  return std::make_unique<Embed>(host, constant_data(table, "table"), table.dtype, table.shape[0],
                                 table.shape[1]);
}

}  // namespace

constinit const OpRow kEmbed = {BELAY_OP_EMBED, &supports, &bind};

}  // namespace belay::BELAY_ISA
