// rope and kv_write as ops, and what a larger kernel needs of them.
#pragma once

#include "plugins/cpu_kernels/ops/check.hpp"
#include "plugins/cpu_kernels/ops/kv_cache.hpp"
#include "plugins/cuda_sm61/ops/op_kernel.hpp"

#include <cstdint>
#include <vector>

namespace belay::cuda {

void launch_rope_kv(Launcher& launch, const RopeKvParams& params);

class Rope final : public OpKernel {
 public:
  struct Shape {
    std::int64_t heads;
    std::int64_t d;
    std::int64_t axes;
  };
  Rope(Device& device, const belay_rope_attributes_t& rope, const Shape& shape, const float* factors);

  [[nodiscard]] const Shape& shape() const { return shape_; }
  // How heads turn: all but the heads, the positions and the tokens of a launch.
  [[nodiscard]] RopeKvParams params() const;
  // Whether another op turns its heads in the same way.
  [[nodiscard]] bool turns_as(const Rope& other) const;

 private:
  void launch(const Call& call) const override;

  Shape shape_;
  int rotary_;
  bool adjacent_;
  std::vector<float> turns_;
  std::vector<std::uint8_t> axes_;
  DeviceMemory turns_on_device_;
  DeviceMemory axes_on_device_;
};

class KvWrite final : public OpKernel {
 public:
  KvWrite(Device& device, const isa_scalar::CacheShape& cache);

  [[nodiscard]] const isa_scalar::CacheShape& cache() const { return cache_; }
  [[nodiscard]] int cache_type() const;  // BELAY_ROPE_CACHE_*

 private:
  void launch(const Call& call) const override;

  isa_scalar::CacheShape cache_;
};

}  // namespace belay::cuda
