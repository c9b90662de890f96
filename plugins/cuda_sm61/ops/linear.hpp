// linear as an op, and what a larger kernel needs of it.
#pragma once

#include "plugins/cuda_sm61/ops/linear_kernels.hpp"
#include "plugins/cuda_sm61/ops/op_kernel.hpp"

#include <cstdint>

namespace belay::cuda {

// The weight on the device: memory of the kernel's own, or the host's.
struct DeviceWeight {
  DeviceMemory own;
  WeightPlanes planes{};
  std::int64_t rows = 0;
  std::int64_t k = 0;
};

// Where quantised activations lie that begin at an address, and where they end.
class QuantisedRows {
 public:
  QuantisedRows(DevicePointer at, std::int64_t blocks);
  [[nodiscard]] static std::uint64_t bytes(std::int64_t blocks);
  [[nodiscard]] DevicePointer end() const { return end_; }

  signed char* low = nullptr;
  signed char* high = nullptr;
  float* scales = nullptr;

 private:
  DevicePointer end_ = 0;
};

// Lets a launch read or write the activations from block `first` on.
template <class Params>
void point_to(const QuantisedRows& rows, std::int64_t first, Params& params) {
  params.low = rows.low + 16 * first;
  params.high = rows.high + 16 * first;
  params.scales = rows.scales + 2 * first;
}

class Linear final : public OpKernel {
 public:
  Linear(Device& device, const LinearKernels& kernels, bool quantised, DeviceWeight weight,
         DeviceMemory bias);

  [[nodiscard]] std::uint64_t workspace(std::uint64_t tokens) const override;

  // The kernels for quantised activations; null when they stay as they are.
  [[nodiscard]] const LinearWay* quantised_way() const { return quantised_ ? kernels_.q8 : nullptr; }
  // The weight and its bias.
  [[nodiscard]] LinearMatrix matrix() const;
  [[nodiscard]] std::int64_t rows() const { return weight_.rows; }
  [[nodiscard]] std::int64_t k() const { return weight_.k; }

 private:
  void launch(const Call& call) const override;
  void quantise(const Call& call, const QuantisedRows& to) const;
  [[nodiscard]] std::int64_t tokens_of_launch() const;
  void launch_part(const Call& call, const LinearWay& way, const LinearParams& params) const;
  [[nodiscard]] std::int64_t blocks_of_row() const { return weight_.k / 32; }

  const LinearKernels& kernels_;
  bool quantised_;
  DeviceWeight weight_;
  DeviceMemory bias_;
};

}  // namespace belay::cuda
