// rms_norm and layer_norm over the last dimension; all leading dimensions are rows.
#include "plugins/cpu_kernels/ops/check.hpp"
#include "plugins/cpu_kernels/ops/ops.hpp"
#include "plugins/cpu_kernels/simd/simd.hpp"

#include <cmath>
#include <memory>

namespace belay::BELAY_ISA {
namespace {

// The sum of a row.
float row_sum(const float* x, int64_t size) {
  F32 acc[2] = {zero(), zero()};
  int64_t i = 0;
  for (; i + 2 * kLanes <= size; i += 2 * kLanes) {
    for (int j = 0; j < 2; ++j) acc[j] = acc[j] + load(x + i + j * kLanes);
  }
  float total = sum(acc[0] + acc[1]);
  for (; i < size; ++i) total += x[i];
  return total;
}

// The sum of (x - centre)^2 over a row.
float row_squares(const float* x, float centre, int64_t size) {
  F32 acc[2] = {zero(), zero()};
  int64_t i = 0;
  for (; i + 2 * kLanes <= size; i += 2 * kLanes) {
    for (int j = 0; j < 2; ++j) {
      const F32 difference = load(x + i + j * kLanes) - splat(centre);
      acc[j] = mul_add(difference, difference, acc[j]);
    }
  }
  float total = sum(acc[0] + acc[1]);
  for (; i < size; ++i) total += (x[i] - centre) * (x[i] - centre);
  return total;
}

void rms_norm_row(const float* x, const float* weight, const float*, float epsilon, int64_t size,
                  float* out) {
  const float squares = row_squares(x, 0.0f, size);
  const F32 factor = splat(1.0f / std::sqrt(squares / static_cast<float>(size) + epsilon));
  for (int64_t i = 0; i < size; i += kLanes) {
    const int64_t rest = size - i;
    store_upto(load_upto(x + i, rest) * factor * load_upto(weight + i, rest), out + i, rest);
  }
}

// In two passes: the variance from the differences, which loses nothing when the mean is large.
void layer_norm_row(const float* x, const float* weight, const float* bias, float epsilon, int64_t size,
                    float* out) {
  const float mean = row_sum(x, size) / static_cast<float>(size);
  const float variance = row_squares(x, mean, size) / static_cast<float>(size);
  const F32 factor = splat(1.0f / std::sqrt(variance + epsilon));
  for (int64_t i = 0; i < size; i += kLanes) {
    const int64_t rest = size - i;
    const F32 normal = (load_upto(x + i, rest) - splat(mean)) * factor;
    store_upto(mul_add(normal, load_upto(weight + i, rest), load_upto(bias + i, rest)), out + i, rest);
  }
}

using NormRow = void (*)(const float* x, const float* weight, const float* bias, float epsilon, int64_t size,
                         float* out);

class Norm final : public sdk::Kernel<Norm> {
 public:
  Norm(sdk::Host host, NormRow row, const float* weight, const float* bias, float epsilon, int64_t size,
       int64_t rows)
      : host_(host),
        row_(row),
        weight_(weight),
        bias_(bias),
        epsilon_(epsilon),
        size_(size),
        rows_per_token_(rows) {}

  [[nodiscard]] uint64_t workspace(uint64_t) const override { return 0; }

  belay_status_t run(const belay_run_t& arguments) {
    Operands operands(arguments, 1, 1);
    const int64_t tokens = operands.tokens();
    const auto per_token = static_cast<uint64_t>(rows_per_token_ * size_);
    const float* x = operands.floats(0, tokens, per_token);
    float* out = operands.out_floats(0, tokens, per_token);
    if (operands.status() != BELAY_OK || per_token == 0) return operands.status();
    return host_.parallel_for(static_cast<uint64_t>(tokens * rows_per_token_),
                              grain_for(kSlowness * (10 + static_cast<double>(size_) / 4)),
                              [&](uint64_t begin, uint64_t end, uint32_t) {
                                for (auto r = static_cast<int64_t>(begin); r < static_cast<int64_t>(end);
                                     ++r) {
                                  row_(x + r * size_, weight_, bias_, epsilon_, size_, out + r * size_);
                                }
                              });
  }

 private:
  sdk::Host host_;
  NormRow row_;
  const float* weight_;
  const float* bias_;
  float epsilon_;
  int64_t size_;
  int64_t rows_per_token_;
};

bool supports(const belay_op_t& op, uint64_t constants, sdk::Support& answer) {
  belay_norm_attributes_t attributes{};
  if (!has_operands(op, 1, constants, constants, 1, answer) || !read_attributes(op, attributes, answer))
    return false;
  const belay_tensor_t& x = op.inputs[0];
  if (x.rank < 2 || x.rank > 4) return answer.no(BELAY_UNSUPPORTED, "x has rank %u, not 2 to 4", x.rank);
  const int64_t size = x.shape[x.rank - 1];
  const bool fits = x.rank == 2 ? is_tensor(x, "x", BELAY_DTYPE_F32, {kTokens, kAnySize}, answer)
                    : x.rank == 3
                        ? is_tensor(x, "x", BELAY_DTYPE_F32, {kTokens, kAnySize, kAnySize}, answer)
                        : is_tensor(x, "x", BELAY_DTYPE_F32, {kTokens, kAnySize, kAnySize, kAnySize}, answer);
  if (!fits || !same_shape(x, op.outputs[0], "x and the output", answer)) return false;
  for (uint64_t i = 0; i < constants; ++i) {
    if (!is_tensor(sdk::at(op.constants, i), i == 0 ? "weight" : "bias", BELAY_DTYPE_F32, {size}, answer))
      return false;
  }
  double elements = static_cast<double>(size);
  for (uint32_t i = 1; i + 1 < x.rank; ++i) elements *= static_cast<double>(x.shape[i]);
  answer.cost_ns = 50 + static_cast<uint64_t>(kSlowness * elements / 4);
  return true;
}

sdk::KernelPtr bind(NormRow row, sdk::Host host, const belay_op_t& op) {
  const belay_tensor_t& x = op.inputs[0];
  int64_t rows = 1;
  for (uint32_t i = 1; i + 1 < x.rank; ++i) rows *= x.shape[i];
  const auto data = [&](uint64_t index) -> const float* {
    const belay_tensor_t* t = constant(op, index);
    return t == nullptr ? nullptr
                        : reinterpret_cast<const float*>(constant_data(*t, index == 0 ? "weight" : "bias"));
  };
  return std::make_unique<Norm>(host, row, data(0), data(1),
                                accepted_attributes<belay_norm_attributes_t>(op).epsilon, x.shape[x.rank - 1],
                                rows);
}

bool supports_rms(const belay_op_t& op, sdk::Support& answer) { return supports(op, 1, answer); }
bool supports_layer(const belay_op_t& op, sdk::Support& answer) { return supports(op, 2, answer); }
sdk::KernelPtr bind_rms(sdk::Host host, const belay_op_t& op) { return bind(&rms_norm_row, host, op); }
sdk::KernelPtr bind_layer(sdk::Host host, const belay_op_t& op) { return bind(&layer_norm_row, host, op); }

}  // namespace

constinit const OpRow kRmsNorm = {BELAY_OP_RMS_NORM, &supports_rms, &bind_rms};
constinit const OpRow kLayerNorm = {BELAY_OP_LAYER_NORM, &supports_layer, &bind_layer};

}  // namespace belay::BELAY_ISA
