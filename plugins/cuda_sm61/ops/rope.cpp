// rope and kv_write: both are belay_rope_kv, which does all that happens to heads between projection and
// attention.
#include "plugins/cuda_sm61/ops/rope.hpp"

#include "plugins/cpu_kernels/ops/check.hpp"
#include "plugins/cuda_sm61/ops/constants.hpp"
#include "plugins/cuda_sm61/ops/ops.hpp"
#include "plugins/cuda_sm61/ops/rope_table.hpp"

#include <memory>
#include <vector>

namespace belay::cuda {
namespace {

namespace check = isa_scalar;  // plugins/cpu_kernels/ops/check.hpp in this build

bool checks_attributes(const belay_rope_attributes_t& rope, std::int64_t d, std::int64_t axes,
                       sdk::Support& answer) {
  if (rope.style != BELAY_ROPE_ADJACENT && rope.style != BELAY_ROPE_HALVES) {
    return answer.no(BELAY_UNSUPPORTED, "unknown style of rope %d", rope.style);
  }
  if (rope.rotary_dim % 2 != 0 || rope.rotary_dim > d) {
    return answer.no(BELAY_UNSUPPORTED, "rotary_dim is %u for heads of %lld", rope.rotary_dim,
                     static_cast<long long>(d));
  }
  for (std::uint32_t pair = 0; pair < rope.rotary_dim / 2; ++pair) {
    if (rope_axis(rope, pair) < axes) continue;
    return answer.no(BELAY_UNSUPPORTED, "the sections need more than the %lld axes of the positions",
                     static_cast<long long>(axes));
  }
  return true;
}

std::int64_t axes_of(const belay_tensor_t& positions) { return positions.rank == 1 ? 1 : positions.shape[0]; }

bool supports_rope(const belay_op_t& op, sdk::Support& answer) {
  belay_rope_attributes_t rope{};
  if (!check::has_operands(op, 2, 0, 1, 1, answer) || !check::read_attributes(op, rope, answer)) return false;
  const belay_tensor_t& x = op.inputs[0];
  const belay_tensor_t& positions = sdk::at(op.inputs, 1);
  if (!check::is_tensor(x, "x", BELAY_DTYPE_F32, {check::kTokens, check::kAnySize, check::kAnySize},
                        answer) ||
      !check::same_shape(x, op.outputs[0], "x and the output", answer)) {
    return false;
  }
  const bool fits = positions.rank == 1
                        ? check::is_tensor(positions, "positions", BELAY_DTYPE_I32, {check::kTokens}, answer)
                        : check::is_tensor(positions, "positions", BELAY_DTYPE_I32,
                                           {check::kAnySize, check::kTokens}, answer);
  if (!fits) return false;
  const std::int64_t axes = axes_of(positions);
  if (axes < 1 || axes > 4) {
    return answer.no(BELAY_UNSUPPORTED, "positions have %lld axes, not 1 to 4", static_cast<long long>(axes));
  }
  if (!checks_attributes(rope, x.shape[2], axes, answer)) return false;
  const belay_tensor_t* factors = check::constant(op, 0);
  if (factors != nullptr &&
      !check::is_tensor(*factors, "freq_factors", BELAY_DTYPE_F32, {rope.rotary_dim / 2}, answer)) {
    return false;
  }
  answer.cost_ns = cost_of(8.0 * static_cast<double>(x.shape[1]) * static_cast<double>(x.shape[2]));
  return true;
}

sdk::KernelPtr bind_rope(sdk::Host /*host*/, Device& device, const belay_op_t& op, const Packed& /*packed*/) {
  const belay_tensor_t& x = op.inputs[0];
  const belay_tensor_t* factors = check::constant(op, 0);
  const auto* data = factors == nullptr ? nullptr : check::constant_data(*factors, "freq_factors");
  return std::make_unique<Rope>(device, check::accepted_attributes<belay_rope_attributes_t>(op),
                                Rope::Shape{x.shape[1], x.shape[2], axes_of(sdk::at(op.inputs, 1))},
                                reinterpret_cast<const float*>(data));
}

bool supports_kv_write(const belay_op_t& op, sdk::Support& answer) {
  if (!check::has_operands(op, 2, 0, 0, 2, answer)) return false;
  const belay_tensor_t& k = op.inputs[0];
  if (!check::is_tensor(k, "k", BELAY_DTYPE_F32, {check::kTokens, check::kAnySize, check::kAnySize},
                        answer) ||
      !check::same_shape(k, sdk::at(op.inputs, 1), "k and v", answer) ||
      !check::is_cache(op.outputs[0], "k_cache", k.shape[1], k.shape[2], answer) ||
      !check::same_shape(op.outputs[0], sdk::at(op.outputs, 1), "the caches", answer)) {
    return false;
  }
  if (op.outputs[0].dtype == BELAY_DTYPE_Q8_0 && k.shape[2] > BELAY_ROPE_MOST_Q8) {
    return answer.no(BELAY_UNSUPPORTED, "heads of %lld elements for a q8_0 cache, more than %d",
                     static_cast<long long>(k.shape[2]), int{BELAY_ROPE_MOST_Q8});
  }
  answer.cost_ns = cost_of(16.0 * static_cast<double>(k.shape[1]) * static_cast<double>(k.shape[2]));
  return true;
}

sdk::KernelPtr bind_kv_write(sdk::Host /*host*/, Device& device, const belay_op_t& op,
                             const Packed& /*packed*/) {
  const belay_tensor_t& k = op.inputs[0];
  return std::make_unique<KvWrite>(device, check::CacheShape{op.outputs[0].dtype, k.shape[1], k.shape[2]});
}

}  // namespace

void launch_rope_kv(Launcher& launch, const RopeKvParams& params) {
  const std::int64_t heads = std::int64_t{params.query.heads} + params.key.heads + params.value.heads;
  launch(kernels::belay_rope_kv, {steps(params.tokens * heads, 4)}, params);  // a warp for each, four a block
}

Rope::Rope(Device& device, const belay_rope_attributes_t& rope, const Shape& shape, const float* factors)
    : OpKernel(device, {tokens_of(shape.heads * shape.d), tokens_of(shape.axes)},
               {tokens_of(shape.heads * shape.d)}),
      shape_(shape),
      rotary_(static_cast<int>(rope.rotary_dim)),
      adjacent_(rope.style == BELAY_ROPE_ADJACENT),
      turns_(rope_turns(rope, factors)),
      axes_(has_sections(rope) ? rope_axes(rope) : std::vector<std::uint8_t>()),
      turns_on_device_(device.copy_of(turns_.data(), turns_.size() * sizeof(float), "rope's table")) {
  if (!axes_.empty()) axes_on_device_ = device.copy_of(axes_.data(), axes_.size(), "rope's table");
}

RopeKvParams Rope::params() const {
  RopeKvParams params{};
  params.turns = as_floats(turns_on_device_);
  params.axes = reinterpret_cast<const unsigned char*>(axes_on_device_.address());
  params.rotary = rotary_;
  params.adjacent = adjacent_ ? 1 : 0;
  params.d = static_cast<int>(shape_.d);
  return params;
}

bool Rope::turns_as(const Rope& other) const {
  return rotary_ == other.rotary_ && adjacent_ == other.adjacent_ && shape_.d == other.shape_.d &&
         turns_ == other.turns_ && axes_ == other.axes_;
}

void Rope::launch(const Call& call) const {
  RopeKvParams params = this->params();
  params.query = {call.input<float>(0), nullptr, call.output<float>(0), static_cast<int>(shape_.heads), 0};
  params.positions = call.input<int>(1);
  params.tokens = static_cast<int>(call.tokens);
  if (shape_.heads * shape_.d > 0) launch_rope_kv(call.launch, params);
}

namespace {

OperandShape written(const check::CacheShape& cache) {
  return {OperandShape::Kind::kWrittenCache, cache.row_bytes(), cache.kv_heads};
}

}  // namespace

KvWrite::KvWrite(Device& device, const check::CacheShape& cache)
    : OpKernel(device, {tokens_of(cache.kv_heads * cache.d), tokens_of(cache.kv_heads * cache.d)},
               {written(cache), written(cache)}),
      cache_(cache) {}

int KvWrite::cache_type() const {
  if (cache_.dtype == BELAY_DTYPE_Q8_0) return BELAY_ROPE_CACHE_Q8;
  return cache_.dtype == BELAY_DTYPE_F16 ? BELAY_ROPE_CACHE_F16 : BELAY_ROPE_CACHE_F32;
}

// The two caches may have different numbers of blocks: a launch for each.
void KvWrite::launch(const Call& call) const {
  if (cache_.kv_heads * cache_.d == 0) return;
  RopeKvParams params{};
  params.cache_type = cache_type();
  params.position = static_cast<int>(call.position);
  params.tokens = static_cast<int>(call.tokens);
  params.d = static_cast<int>(cache_.d);
  const auto heads = static_cast<int>(cache_.kv_heads);
  params.key = {call.input<float>(0), nullptr, nullptr, heads, 0};
  params.value = {call.input<float>(1), nullptr, nullptr, heads, 0};
  params.k_cache = call.output<void>(0);
  params.v_cache = call.output<void>(1);
  params.blocks = static_cast<int>(call.outputs[0].blocks);
  if (call.outputs[0].blocks == call.outputs[1].blocks) {
    launch_rope_kv(call.launch, params);
    return;
  }
  RopeKvParams values = params;
  params.value = {};
  values.key = {};
  values.blocks = static_cast<int>(call.outputs[1].blocks);
  launch_rope_kv(call.launch, params);
  launch_rope_kv(call.launch, values);
}

constinit const OpRow kRope = {BELAY_OP_ROPE, &supports_rope, &bind_rope};
constinit const OpRow kKvWrite = {BELAY_OP_KV_WRITE, &supports_kv_write, &bind_kv_write};

}  // namespace belay::cuda
