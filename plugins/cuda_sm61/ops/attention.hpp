// attention as an op, and what a larger kernel needs of it.
#pragma once

#include "plugins/cpu_kernels/ops/kv_cache.hpp"
#include "plugins/cuda_sm61/ops/op_kernel.hpp"

#include <cstdint>

namespace belay::cuda {

class Attention final : public OpKernel {
 public:
  static constexpr std::int64_t kMostHeads =
      2048;  // a token uses as many counters of a stream, from the first on

  struct Shape {
    isa_scalar::CacheShape cache;
    std::int64_t heads;
    [[nodiscard]] std::int64_t group() const { return heads / cache.kv_heads; }
    [[nodiscard]] std::int64_t groups() const;  // of BELAY_ATTENTION_GROUP heads, for each key head
  };
  Attention(Device& device, const Shape& shape, const belay_attention_attributes_t& attributes);

  [[nodiscard]] std::uint64_t workspace(std::uint64_t tokens) const override;

  [[nodiscard]] const Shape& shape() const { return shape_; }
  // All but what is read and written.
  [[nodiscard]] AttentionParams params(std::int64_t tokens, std::int64_t position) const;
  // For decode's few tokens, with workspace(tokens) bytes; sets how the keys are split.
  void launch_few(Launcher& launch, DevicePointer workspace, AttentionParams& params) const;

 private:
  void launch(const Call& call) const override;
  void launch_many(const Call& call, AttentionParams& params) const;

  Shape shape_;
  float scale_;
  bool causal_;
};

}  // namespace belay::cuda
