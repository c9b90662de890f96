// linear: activations quantised where that is allowed and the weights are, else everything in f32.
#include "plugins/cuda_sm61/ops/linear.hpp"

#include "plugins/cpu_kernels/ops/check.hpp"
#include "plugins/cuda_sm61/ops/constants.hpp"
#include "plugins/cuda_sm61/ops/ops.hpp"
#include "plugins/cuda_sm61/weights/layout.hpp"
#include "plugins/cuda_sm61/weights/pack.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace belay::cuda {
namespace {

namespace check = isa_scalar;  // plugins/cpu_kernels/ops/check.hpp in this build

std::optional<PackedLayout> layout_of(const belay_op_t& op) {
  const belay_tensor_t& weight = op.constants[0];
  return packed_layout(weight.dtype, weight.shape[0], weight.shape[1]);
}

bool supports(const belay_op_t& op, sdk::Support& answer) {
  belay_linear_attributes_t attributes{};
  if (!check::has_operands(op, 1, 1, 2, 1, answer) || !check::read_attributes(op, attributes, answer))
    return false;
  if (attributes.numerics < BELAY_NUMERICS_F32 || attributes.numerics > BELAY_NUMERICS_ACT_Q16) {
    return answer.no(BELAY_UNSUPPORTED, "unknown numerics %d", attributes.numerics);
  }
  const belay_tensor_t& weight = op.constants[0];
  if (linear_kernels(weight.dtype) == nullptr) {
    return answer.no(BELAY_UNSUPPORTED, "weight has dtype %d, which is no weight type", weight.dtype);
  }
  if (!check::linear_shapes_fit(op, answer)) return false;
  const auto layout = layout_of(op);
  if (!layout || weight.shape[1] == 0) {
    return answer.no(BELAY_UNSUPPORTED, "a weight of %lld x %lld is too large or empty",
                     static_cast<long long>(weight.shape[0]), static_cast<long long>(weight.shape[1]));
  }
  answer.determinism = BELAY_DETERMINISM_RUN_TO_RUN;  // gemv and gemm add up in different orders
  answer.cost_ns = cost_of(static_cast<double>(layout->bytes));
  return true;
}

std::uint64_t packed_bytes(const belay_op_t& op) { return layout_of(op)->bytes; }

belay_status_t pack_weight(sdk::Host host, const belay_op_t& op, void* to) {
  constexpr std::uint64_t kBytesAtLeast = std::uint64_t{64} << 10U;  // of a thread's share
  const belay_tensor_t& weight = op.constants[0];
  const PackJob job{weight.dtype, weight.shape[0], weight.shape[1], check::constant_data(weight, "weight"),
                    static_cast<std::uint8_t*>(to)};
  const auto rows = static_cast<std::uint64_t>(weight.shape[0]);
  const std::uint64_t row_bytes = rows == 0 ? 1 : layout_of(op)->bytes / rows + 1;
  return host.parallel_for(rows, kBytesAtLeast / row_bytes + 1,
                           [&](std::uint64_t begin, std::uint64_t end, std::uint32_t) {
                             pack_rows(job, static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end));
                           });
}

// From wherever the packed weight is, or from the file's bytes, which are packed here.
DeviceWeight weight_on(Device& device, const belay_op_t& op, const Packed& packed) {
  const PackedLayout layout = *layout_of(op);
  DeviceWeight weight;
  weight.rows = op.constants[0].shape[0];
  weight.k = op.constants[0].shape[1];
  DevicePointer base = packed.device;
  if (base == 0) {
    std::vector<std::uint8_t> made;
    if (packed.host == nullptr) {
      made.resize(layout.bytes);
      pack({op.constants[0].dtype, weight.rows, weight.k, check::constant_data(op.constants[0], "weight"),
            made.data()});
    }
    const void* bytes = packed.host != nullptr ? packed.host : made.data();
    weight.own = device.copy_of(bytes, layout.bytes, "weight");
    base = weight.own.address();
  }
  weight.planes = planes_at(layout, reinterpret_cast<const void*>(base));
  return weight;
}

sdk::KernelPtr bind(sdk::Host /*host*/, Device& device, const belay_op_t& op, const Packed& packed) {
  const LinearKernels& kernels = *linear_kernels(op.constants[0].dtype);
  const auto numerics = check::accepted_attributes<belay_linear_attributes_t>(op).numerics;
  const bool quantised = numerics == BELAY_NUMERICS_ACT_Q8 && kernels.q8 != nullptr;
  DeviceMemory bias = copy_of_constant(device, op, 1, "bias");
  return std::make_unique<Linear>(device, kernels, quantised, weight_on(device, op, packed), std::move(bias));
}

}  // namespace

std::uint64_t QuantisedRows::bytes(std::int64_t blocks) { return QuantisedRows(0, blocks).end_; }

QuantisedRows::QuantisedRows(DevicePointer at, std::int64_t blocks) {
  const auto aligned = [](std::uint64_t size) {
    return (size + Arena::kAlignment - 1) / Arena::kAlignment * Arena::kAlignment;
  };
  const auto count = static_cast<std::uint64_t>(blocks);
  const DevicePointer high_at = at + aligned(16 * count);
  const DevicePointer scales_at = high_at + aligned(16 * count);
  low = reinterpret_cast<signed char*>(at);
  high = reinterpret_cast<signed char*>(high_at);
  scales = reinterpret_cast<float*>(scales_at);
  end_ = scales_at + aligned(2 * sizeof(float) * count);
}

Linear::Linear(Device& device, const LinearKernels& kernels, bool quantised, DeviceWeight weight,
               DeviceMemory bias)
    : OpKernel(device, {tokens_of(weight.k)}, {tokens_of(weight.rows)}),
      kernels_(kernels),
      quantised_(quantised),
      weight_(std::move(weight)),
      bias_(std::move(bias)) {}

std::uint64_t Linear::workspace(std::uint64_t tokens) const {
  return quantised_ ? QuantisedRows::bytes(static_cast<std::int64_t>(tokens) * blocks_of_row()) : 0;
}

LinearMatrix Linear::matrix() const {
  LinearMatrix matrix{};
  matrix.weight = weight_.planes;
  matrix.bias = as_floats(bias_);
  matrix.rows = static_cast<int>(weight_.rows);
  return matrix;
}

void Linear::launch(const Call& call) const {
  if (weight_.rows == 0) return;
  LinearParams params{};
  params.matrix[0] = matrix();
  params.k = static_cast<int>(weight_.k);
  const QuantisedRows rows(call.workspace, quantised_ ? call.tokens * blocks_of_row() : 0);
  if (quantised_) quantise(call, rows);
  const LinearWay& way = quantised_ ? *kernels_.q8 : kernels_.f32;
  for (std::int64_t first = 0; first < call.tokens;) {
    const std::int64_t tokens = std::min(call.tokens - first, tokens_of_launch());
    if (quantised_) {
      point_to(rows, first * blocks_of_row(), params);
    } else {
      params.x = call.input<float>(0) + first * weight_.k;
    }
    params.matrix[0].y = call.output<float>(0) + first * weight_.rows;
    params.tokens = static_cast<int>(tokens);
    launch_part(call, way, params);
    first += tokens;
  }
}

void Linear::quantise(const Call& call, const QuantisedRows& to) const {
  LinearQuantiseParams params{};
  params.x = call.input<float>(0);
  point_to(to, 0, params);
  params.blocks = call.tokens * blocks_of_row();
  call.launch(kernels::belay_linear_quantise, {steps(params.blocks, BELAY_LINEAR_QUANTISE_BLOCKS)}, params);
}

// As many as keep a launch short enough for the watchdog of a device with a display: 50 ms at half the rate
// of the smallest card, which does four times as many operations on bytes. Whole tiles, which begin aligned.
std::int64_t Linear::tokens_of_launch() const {
  const double most = quantised_ ? 1.2e11 : 3e10;
  const auto fitting =
      static_cast<std::int64_t>(most / (2.0 * static_cast<double>(weight_.rows) *
                                        static_cast<double>(std::max<std::int64_t>(weight_.k, 1))));
  return std::max<std::int64_t>(fitting / BELAY_LINEAR_GEMM_TOKENS, 1) * BELAY_LINEAR_GEMM_TOKENS;
}

void Linear::launch_part(const Call& call, const LinearWay& way, const LinearParams& params) const {
  constexpr std::int64_t kMostGemv = 8;  // columns
  if (params.tokens <= kMostGemv) {
    const auto& gemv = params.tokens == 1 ? *way.gemv1 : params.tokens <= 4 ? *way.gemv4 : *way.gemv8;
    call.launch(gemv, {steps(weight_.rows, BELAY_LINEAR_GEMV_ROWS)}, params);
    return;
  }
  const bool is_few = way.few != nullptr && params.tokens <= BELAY_LINEAR_GEMM_SMALL_TOKENS;
  const std::int64_t tile = is_few ? BELAY_LINEAR_GEMM_SMALL_TOKENS : BELAY_LINEAR_GEMM_TOKENS;
  call.launch(is_few ? *way.few : *way.gemm,
              {steps(params.tokens, tile), steps(weight_.rows, BELAY_LINEAR_GEMM_ROWS)}, params);
}

constinit const OpRow kLinear = {BELAY_OP_LINEAR, &supports, &bind, &packed_bytes, &pack_weight};

}  // namespace belay::cuda
