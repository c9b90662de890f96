// attention: dense, causal or not, with grouped query heads. A unit of work is some query rows of one KV
// head: it walks over the cache's blocks of 64 positions and keeps each row's softmax online. Every row is
// computed by itself in the order of the positions, so units of any size give the same bits.
#include "plugins/cpu_kernels/ops/attention.hpp"

#include "plugins/cpu_kernels/ops/attention_q8.hpp"
#include "plugins/cpu_kernels/ops/ops.hpp"
#include "plugins/cpu_kernels/simd/simd.hpp"

#include <algorithm>
#include <memory>
#include <numbers>

namespace belay::BELAY_ISA {
namespace {

class Attention final : public sdk::Kernel<Attention> {
 public:
  Attention(sdk::Host host, const AttentionTask& task) : host_(host), task_(task) {}

  [[nodiscard]] uint64_t workspace(uint64_t) const override {
    return host_.max_concurrency() * thread_floats() * sizeof(float);
  }

  belay_status_t run(const belay_run_t& arguments) {
    Operands operands(arguments, 3, 1);
    AttentionTask task = task_;
    task.tokens = operands.tokens();
    const auto per_token = static_cast<uint64_t>(task.heads * task.cache.d);
    task.query = operands.floats(0, task.tokens, per_token);
    task.out = operands.out_floats(0, task.tokens, per_token);
    auto* memory = static_cast<float*>(operands.workspace(workspace(0)));
    if (operands.status() != BELAY_OK) return operands.status();
    uint64_t positions = 0;
    if (__builtin_add_overflow(arguments.position, static_cast<uint64_t>(task.tokens), &positions))
      positions = ~uint64_t{0};
    belay_status_t status = open_cache(arguments, *arguments.inputs[1], task.cache, positions, task.keys);
    if (status == BELAY_OK)
      status = open_cache(arguments, *arguments.inputs[2], task.cache, positions, task.values);
    if (status != BELAY_OK || task.tokens == 0 || per_token == 0) return status;
    task.position = static_cast<int64_t>(arguments.position);
    return run_units(task, memory);
  }

 private:
  // Each thread's part of the workspace, in whole cache lines.
  [[nodiscard]] uint64_t thread_floats() const {
    return (std::max(few_rows_floats(task_.cache.d), many_rows_floats(task_.cache.d)) + 15) / 16 * 16;
  }

  belay_status_t run_units(const AttentionTask& task, float* memory) const {
    const int64_t rows = task.rows();
    const int64_t unit = rows_of_unit(rows);
    const int64_t units = (rows + unit - 1) / unit;  // of a KV head
    const auto attend = rows < kManyRows ? attend_few_rows : attend_many_rows;
    const double unit_ns = kSlowness * static_cast<double>(unit * (task.position + task.tokens)) *
                           static_cast<double>(task.cache.d) / 10;
    return host_.parallel_for(
        static_cast<uint64_t>(units * task.cache.kv_heads), grain_for(unit_ns),
        [&](uint64_t begin, uint64_t end, uint32_t worker) {
          for (auto i = static_cast<int64_t>(begin); i < static_cast<int64_t>(end); ++i) {
            // A short unit and a long one in turn, so that a causal mask leaves ranges of even work.
            const int64_t turn = i % units;
            const int64_t first = (turn % 2 == 0 ? turn / 2 : units - 1 - turn / 2) * unit;
            attend(task, {i / units, first, std::min(unit, rows - first)}, memory + worker * thread_floats());
          }
        });
  }

  // Few enough that every thread gets some units, many enough that a block of keys is read for several rows.
  [[nodiscard]] int64_t rows_of_unit(int64_t rows) const {
    const int64_t wanted_units = 3 * static_cast<int64_t>(host_.max_concurrency());
    const int64_t wanted = (rows * task_.cache.kv_heads + wanted_units - 1) / wanted_units;
    if (rows < kManyRows) return std::min(wanted, rows);
    return std::min((wanted + kManyRowsStep - 1) / kManyRowsStep * kManyRowsStep, kManyRowsUnit);
  }

  sdk::Host host_;
  AttentionTask task_;  // what does not change from run to run
};

bool supports(const belay_op_t& op, sdk::Support& answer) {
  belay_attention_attributes_t attributes{};
  if (!has_operands(op, 3, 0, 0, 1, answer) || !read_attributes(op, attributes, answer)) return false;
  if (attributes.mask != BELAY_MASK_CAUSAL && attributes.mask != BELAY_MASK_NONE) {
    return answer.no(BELAY_UNSUPPORTED, "unknown mask %d", attributes.mask);
  }
  const belay_tensor_t& q = op.inputs[0];
  const belay_tensor_t& keys = sdk::at(op.inputs, 1);
  if (!is_tensor(q, "q", BELAY_DTYPE_F32, {kTokens, kAnySize, kAnySize}, answer) ||
      !same_shape(q, op.outputs[0], "q and the output", answer)) {
    return false;
  }
  const int64_t kv_heads = keys.rank == 4 ? keys.shape[0] : 0;
  if (kv_heads <= 0 || q.shape[1] % kv_heads != 0) {
    return answer.no(BELAY_UNSUPPORTED, "%lld query heads do not divide among the cache's %lld",
                     static_cast<long long>(q.shape[1]), static_cast<long long>(kv_heads));
  }
  if (!is_cache(keys, "k_cache", kv_heads, q.shape[2], answer) ||
      !same_shape(keys, sdk::at(op.inputs, 2), "the caches", answer)) {
    return false;
  }
  // As for a cache that is half full, or of 1024 positions when its size is open.
  const double positions = keys.shape[1] > 0 ? static_cast<double>(keys.shape[1]) * kBlock / 2 : 1024;
  answer.cost_ns =
      500 + static_cast<uint64_t>(kSlowness * static_cast<double>(q.shape[1] * q.shape[2]) * positions / 10);
  return true;
}

sdk::KernelPtr bind(sdk::Host host, const belay_op_t& op) {
  const auto attributes = accepted_attributes<belay_attention_attributes_t>(op);
  const belay_tensor_t& q = op.inputs[0];
  const belay_tensor_t& keys = sdk::at(op.inputs, 1);
  AttentionTask task = {};
  task.cache = {keys.dtype, keys.shape[0], q.shape[2]};
  task.heads = q.shape[1];
  task.scale_log2 = attributes.scale * std::numbers::log2e_v<float>;
  task.causal = attributes.mask == BELAY_MASK_CAUSAL;
  return std::make_unique<Attention>(host, task);
}

// Rows of whole blocks of Q8_0, which lie side by side.
void q8_as_floats(const uint8_t* block, int64_t elements, float* out) {
  for (int64_t i = 0; i < elements; i += Q8Rows::kBlock, block += Q8Rows::kBlockBytes) {
    const F32 scale = splat(block_scale(block));
    const int8_t* q = block_quants(block);
#pragma GCC unroll 8
    for (int k = 0; k < Q8Rows::kBlock; k += kLanes) store(load_i8_as_f32(q + k) * scale, out + i + k);
  }
}

}  // namespace

const float* as_floats(const uint8_t* block, int32_t dtype, int64_t elements, float* buffer) {
  if (dtype == BELAY_DTYPE_F32) return reinterpret_cast<const float*>(block);
  if (dtype == BELAY_DTYPE_Q8_0) {
    q8_as_floats(block, elements, buffer);
    return buffer;
  }
  const auto* halves = reinterpret_cast<const Half*>(block);
  int64_t i = 0;
#pragma GCC unroll 4
  for (; i + kLanes <= elements; i += kLanes) store(load(halves + i), buffer + i);
  for (; i < elements; ++i) buffer[i] = to_float(halves[i]);
  return buffer;
}

constinit const OpRow kAttention = {BELAY_OP_ATTENTION, &supports, &bind};

}  // namespace belay::BELAY_ISA
