// rms_norm as an op, and what a larger kernel needs of it.
#pragma once

#include "plugins/cuda_sm61/ops/op_kernel.hpp"

#include <cstdint>

namespace belay::cuda {

struct NormShape {
  std::int64_t rows = 1;  // of a token
  std::int64_t d = 0;
  [[nodiscard]] std::int64_t per_token() const { return rows * d; }
};

class RmsNorm final : public OpKernel {
 public:
  RmsNorm(Device& device, const belay_op_t& op);

  [[nodiscard]] const NormShape& shape() const { return shape_; }
  // Of a launch that norms so many tokens: all but what it reads and writes.
  [[nodiscard]] RmsNormParams params(std::int64_t tokens) const;

 private:
  void launch(const Call& call) const override;

  NormShape shape_;
  DeviceMemory weight_;
  float epsilon_;
};

// On the kernel for rows of that length.
void launch_rms_norm(Launcher& launch, const RmsNormParams& params);

}  // namespace belay::cuda
