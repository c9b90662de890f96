// kv_write: new keys and values into the cache, converted to its type.
#include "plugins/cpu_kernels/ops/kv_cache.hpp"
#include "plugins/cpu_kernels/ops/ops.hpp"
#include "plugins/cpu_kernels/ops/quantise_block.hpp"
#include "plugins/cpu_kernels/simd/simd.hpp"

#include <cstring>
#include <memory>

namespace belay::BELAY_ISA {
namespace {

// A block of Q8_0: half float scale, 32 signed bytes.
void write_q8_block(const float* from, uint8_t* to) {
  I32 v[kBlockVectors];
  const uint16_t scale = float_to_half(quantise_block(from, 127.0f, v));
  std::memcpy(to, &scale, 2);
  auto* bytes = reinterpret_cast<int8_t*>(to + 2);
  for (int i = 0; i < kBlockVectors; i += 4) store_i8(v[i], v[i + 1], v[i + 2], v[i + 3], bytes + i * kLanes);
}

void write_row(const float* from, int64_t d, int32_t dtype, uint8_t* to) {
  if (dtype == BELAY_DTYPE_F32) {
    std::memcpy(to, from, static_cast<size_t>(d) * sizeof(float));
    return;
  }
  int64_t i = 0;
  if (dtype == BELAY_DTYPE_Q8_0) {
    for (; i < d; i += 32) write_q8_block(from + i, to + i / 32 * 34);
    return;
  }
  for (; i + kLanes <= d; i += kLanes) store_f16(load(from + i), to + 2 * i);
  for (; i < d; ++i) {
    const uint16_t half = float_to_half(from[i]);
    std::memcpy(to + 2 * i, &half, 2);
  }
}

class KvWrite final : public sdk::Kernel<KvWrite> {
 public:
  KvWrite(sdk::Host host, const CacheShape& shape) : host_(host), shape_(shape) {}

  [[nodiscard]] uint64_t workspace(uint64_t) const override { return 0; }

  belay_status_t run(const belay_run_t& arguments) {
    Operands operands(arguments, 2, 2);
    const int64_t tokens = operands.tokens();
    const int64_t per_token = shape_.kv_heads * shape_.d;
    const float* from[2] = {operands.floats(0, tokens, static_cast<uint64_t>(per_token)),
                            operands.floats(1, tokens, static_cast<uint64_t>(per_token))};
    if (operands.status() != BELAY_OK) return operands.status();
    uint64_t end_position = 0;
    if (__builtin_add_overflow(arguments.position, static_cast<uint64_t>(tokens), &end_position))
      end_position = ~uint64_t{0};
    Cache to[2];
    for (int i = 0; i < 2; ++i) {
      const belay_status_t status = open_cache(arguments, *arguments.outputs[i], shape_, end_position, to[i]);
      if (status != BELAY_OK) return status;
    }
    const auto first = static_cast<int64_t>(arguments.position);
    const double token_ns = kSlowness * static_cast<double>(per_token) / 4 + 10;
    return host_.parallel_for(
        static_cast<uint64_t>(tokens), grain_for(token_ns), [&](uint64_t begin, uint64_t end, uint32_t) {
          for (auto t = static_cast<int64_t>(begin); t < static_cast<int64_t>(end); ++t) {
            for (int i = 0; i < 2; ++i) write_token(from[i] + t * per_token, first + t, to[i]);
          }
        });
  }

 private:
  void write_token(const float* from, int64_t position, const Cache& to) const {
    const auto row = static_cast<uint64_t>(position % BELAY_KV_BLOCK) * to.row_bytes;
    for (int64_t h = 0; h < shape_.kv_heads; ++h) {
      write_row(from + h * shape_.d, shape_.d, shape_.dtype, to.block(h, position / BELAY_KV_BLOCK) + row);
    }
  }

  sdk::Host host_;
  CacheShape shape_;
};

bool supports(const belay_op_t& op, sdk::Support& answer) {
  if (!has_operands(op, 2, 0, 0, 2, answer)) return false;
  const belay_tensor_t& k = op.inputs[0];
  if (!is_tensor(k, "k", BELAY_DTYPE_F32, {kTokens, kAnySize, kAnySize}, answer) ||
      !same_shape(k, sdk::at(op.inputs, 1), "k and v", answer) ||
      !is_cache(op.outputs[0], "k_cache", k.shape[1], k.shape[2], answer) ||
      !same_shape(op.outputs[0], sdk::at(op.outputs, 1), "the caches", answer)) {
    return false;
  }
  answer.cost_ns = 50 + static_cast<uint64_t>(kSlowness * static_cast<double>(k.shape[1] * k.shape[2]) / 4);
  return true;
}

sdk::KernelPtr bind(sdk::Host host, const belay_op_t& op) {
  const belay_tensor_t& k = op.inputs[0];
  return std::make_unique<KvWrite>(host, CacheShape{op.outputs[0].dtype, k.shape[1], k.shape[2]});
}

}  // namespace

constinit const OpRow kKvWrite = {BELAY_OP_KV_WRITE, &supports, &bind};

}  // namespace belay::BELAY_ISA
