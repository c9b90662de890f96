// attention: few tokens by splitting the keys over blocks, many by blocks of query rows.
#include "plugins/cuda_sm61/ops/attention.hpp"

#include "plugins/cpu_kernels/ops/check.hpp"
#include "plugins/cuda_sm61/ops/ops.hpp"

#include <algorithm>
#include <iterator>
#include <memory>

namespace belay::cuda {
namespace {

namespace check = isa_scalar;  // plugins/cpu_kernels/ops/check.hpp in this build

constexpr std::int64_t kFewTokens = 8;
constexpr std::int64_t kLargestHead = 256;
static_assert(kFewTokens * Attention::kMostHeads <= static_cast<std::int64_t>(Stream::kCounters));

// How the keys are split over blocks. Set by their number alone, so that the bits of a token do not depend on
// how many come with it.
struct Split {
  std::int64_t keys;   // of a block
  std::int64_t count;  // blocks
};
constexpr std::int64_t kMostSplits = 32;
Split split_of(std::int64_t keys) {
  constexpr std::int64_t kUsual = std::int64_t{2} * BELAY_ATTENTION_SPLIT;
  const std::int64_t least = steps(steps(keys, kMostSplits), BELAY_ATTENTION_SPLIT) * BELAY_ATTENTION_SPLIT;
  const std::int64_t size = std::max(kUsual, least);
  return {size, steps(keys, size)};
}

// The kernels of one way for heads of up to 64, 128 and 256 elements, or of decode: 64, 128, any.
using AttentionKernel = KernelOf<AttentionParams>;
struct Kernels {
  std::int32_t cache;
  const AttentionKernel* decode[3];
  const AttentionKernel* prefill[3];
};
#define BELAY_ATTENTION(type)                                                                      \
  {&kernels::belay_attention_decode_##type##_64, &kernels::belay_attention_decode_##type##_128,    \
   &kernels::belay_attention_decode_##type##_any},                                                 \
  {                                                                                                \
    &kernels::belay_attention_prefill_##type##_64, &kernels::belay_attention_prefill_##type##_128, \
        &kernels::belay_attention_prefill_##type##_256                                             \
  }
constexpr Kernels kKernels[] = {{BELAY_DTYPE_F32, BELAY_ATTENTION(f32)},
                                {BELAY_DTYPE_F16, BELAY_ATTENTION(f16)},
                                {BELAY_DTYPE_Q8_0, BELAY_ATTENTION(q8)}};
#undef BELAY_ATTENTION

const Kernels& kernels_of(const check::CacheShape& cache) {
  return *std::find_if(std::begin(kKernels), std::end(kKernels) - 1,
                       [&](const Kernels& row) { return row.cache == cache.dtype; });
}
const AttentionKernel& decode_kernel(const check::CacheShape& cache) {
  return *kernels_of(cache).decode[cache.d == 64 ? 0 : cache.d == 128 ? 1 : 2];
}
const AttentionKernel& prefill_kernel(const check::CacheShape& cache) {
  return *kernels_of(cache).prefill[cache.d <= 64 ? 0 : cache.d <= 128 ? 1 : 2];
}

bool supports(const belay_op_t& op, sdk::Support& answer) {
  belay_attention_attributes_t attributes{};
  if (!check::has_operands(op, 3, 0, 0, 1, answer) || !check::read_attributes(op, attributes, answer))
    return false;
  if (attributes.mask != BELAY_MASK_CAUSAL && attributes.mask != BELAY_MASK_NONE) {
    return answer.no(BELAY_UNSUPPORTED, "unknown mask %d", attributes.mask);
  }
  const belay_tensor_t& q = op.inputs[0];
  const belay_tensor_t& keys = sdk::at(op.inputs, 1);
  if (!check::is_tensor(q, "q", BELAY_DTYPE_F32, {check::kTokens, check::kAnySize, check::kAnySize},
                        answer) ||
      !check::same_shape(q, op.outputs[0], "q and the output", answer)) {
    return false;
  }
  const std::int64_t kv_heads = keys.rank == 4 ? keys.shape[0] : 0;
  if (kv_heads <= 0 || q.shape[1] % kv_heads != 0 || q.shape[1] > Attention::kMostHeads) {
    return answer.no(BELAY_UNSUPPORTED,
                     "%lld query heads do not divide among the cache's %lld, or are too many",
                     static_cast<long long>(q.shape[1]), static_cast<long long>(kv_heads));
  }
  if (q.shape[2] > kLargestHead) {
    return answer.no(BELAY_UNSUPPORTED, "heads of %lld elements, more than %lld",
                     static_cast<long long>(q.shape[2]), static_cast<long long>(kLargestHead));
  }
  if (!check::is_cache(keys, "k_cache", kv_heads, q.shape[2], answer) ||
      !check::same_shape(keys, sdk::at(op.inputs, 2), "the caches", answer)) {
    return false;
  }
  // As for a cache of 1024 positions.
  answer.cost_ns = cost_of(2.0 * 1024 * 4 * static_cast<double>(kv_heads * q.shape[2]));
  return true;
}

sdk::KernelPtr bind(sdk::Host /*host*/, Device& device, const belay_op_t& op, const Packed& /*packed*/) {
  const belay_tensor_t& q = op.inputs[0];
  const belay_tensor_t& keys = sdk::at(op.inputs, 1);
  return std::make_unique<Attention>(device,
                                     Attention::Shape{{keys.dtype, keys.shape[0], q.shape[2]}, q.shape[1]},
                                     check::accepted_attributes<belay_attention_attributes_t>(op));
}

}  // namespace

namespace {

OperandShape read(const check::CacheShape& cache) {
  return {OperandShape::Kind::kReadCache, cache.row_bytes(), cache.kv_heads};
}

}  // namespace

std::int64_t Attention::Shape::groups() const { return steps(group(), BELAY_ATTENTION_GROUP); }

Attention::Attention(Device& device, const Shape& shape, const belay_attention_attributes_t& attributes)
    : OpKernel(device, {tokens_of(shape.heads * shape.cache.d), read(shape.cache), read(shape.cache)},
               {tokens_of(shape.heads * shape.cache.d)}),
      shape_(shape),
      scale_(attributes.scale),
      causal_(attributes.mask == BELAY_MASK_CAUSAL) {}

// The parts of the most splits there are; the keys of a run are not known here.
std::uint64_t Attention::workspace(std::uint64_t tokens) const {
  const std::uint64_t few = std::min<std::uint64_t>(tokens, kFewTokens);
  const std::int64_t blocks = kMostSplits * shape_.cache.kv_heads * shape_.groups();
  const std::int64_t part = BELAY_ATTENTION_GROUP * (shape_.cache.d + 2);
  return few * static_cast<std::uint64_t>(blocks * part) * sizeof(float);
}

AttentionParams Attention::params(std::int64_t tokens, std::int64_t position) const {
  AttentionParams params{};
  params.tokens = static_cast<int>(tokens);
  params.heads = static_cast<int>(shape_.heads);
  params.kv_heads = static_cast<int>(shape_.cache.kv_heads);
  params.d = static_cast<int>(shape_.cache.d);
  params.position = static_cast<int>(position);
  params.keys = static_cast<int>(position + tokens);
  params.causal = causal_ ? 1 : 0;
  params.scale = scale_;
  return params;
}

void Attention::launch(const Call& call) const {
  if (shape_.heads * shape_.cache.d == 0) return;
  AttentionParams params = this->params(call.tokens, call.position);
  params.q = call.input<float>(0);
  params.k_cache = call.input<void>(1);
  params.v_cache = call.input<void>(2);
  params.y = call.output<float>(0);
  params.blocks = static_cast<int>(call.inputs[1].blocks);
  if (call.tokens <= kFewTokens) {
    launch_few(call.launch, call.workspace, params);
  } else {
    launch_many(call, params);
  }
}

void Attention::launch_few(Launcher& launch, DevicePointer workspace, AttentionParams& params) const {
  const Split split = split_of(std::int64_t{params.position} + params.tokens);
  params.split_keys = static_cast<int>(split.keys);
  params.parts = reinterpret_cast<float*>(workspace);
  params.counters = reinterpret_cast<unsigned*>(launch.stream().counters());
  launch(decode_kernel(shape_.cache), {split.count, shape_.cache.kv_heads * shape_.groups(), params.tokens},
         params);
}

// In launches short enough for the watchdog of a device with a display, each of whole blocks of rows.
void Attention::launch_many(const Call& call, AttentionParams& params) const {
  constexpr double kMostWork = 3e10;  // operations of a launch: 50 ms at half the rate of the smallest card
  const double of_token = 4.0 * static_cast<double>(shape_.heads * shape_.cache.d) *
                          static_cast<double>(call.position + call.tokens);
  const auto fitting =
      static_cast<std::int64_t>(kMostWork / of_token) / BELAY_ATTENTION_ROWS * BELAY_ATTENTION_ROWS;
  const std::int64_t step = std::max<std::int64_t>(fitting, BELAY_ATTENTION_ROWS);
  const float* const q = params.q;
  float* const y = params.y;
  for (std::int64_t first = 0; first < call.tokens; first += step) {
    const std::int64_t tokens = std::min(step, call.tokens - first);
    params.q = q + first * shape_.heads * shape_.cache.d;
    params.y = y + first * shape_.heads * shape_.cache.d;
    params.tokens = static_cast<int>(tokens);
    params.position = static_cast<int>(call.position + first);
    call.launch(prefill_kernel(shape_.cache),
                {steps(tokens * shape_.group(), BELAY_ATTENTION_ROWS), shape_.cache.kv_heads}, params);
  }
}

constinit const OpRow kAttention = {BELAY_OP_ATTENTION, &supports, &bind};

}  // namespace belay::cuda
