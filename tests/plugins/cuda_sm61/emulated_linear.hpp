// A linear of tests/kernels on the emulated device: weights packed, activations quantised, one kernel
// launched with the grid that a host would give.
#pragma once

#include "plugins/cuda_sm61/weights/layout.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/plugins/cuda_sm61/emulator/launch.hpp"

// Outside of any namespace, as the kernels have them.
#include "plugins/cuda_sm61/kernels/linear_params.h"

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace belay::cuda_tests {

// Memory as a device gives it: aligned, without a byte to spare, and NaN until it is written.
class DeviceMemory {
 public:
  explicit DeviceMemory(std::size_t bytes);
  explicit DeviceMemory(std::span<const std::uint8_t> bytes);

  [[nodiscard]] void* data() { return memory_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  template <class T>
  [[nodiscard]] T* as() {
    return static_cast<T*>(data());
  }

 private:
  struct Free {
    void operator()(void* memory) const;
  };
  std::unique_ptr<void, Free> memory_;
  std::size_t size_;
};

// The weight of a case as the kernels read it.
struct PackedWeight {
  explicit PackedWeight(const kernel_tests::Operand& weight);
  [[nodiscard]] WeightPlanes planes() { return cuda::planes_at(layout, memory.data()); }

  cuda::PackedLayout layout;
  DeviceMemory memory;
};

// x [tokens, k] through belay_linear_quantise.
struct QuantisedOnDevice {
  QuantisedOnDevice(std::span<const std::uint8_t> x, std::size_t tokens, std::size_t k,
                    const emulator::Options& options = {});
  explicit QuantisedOnDevice(std::size_t blocks);  // nothing yet

  std::size_t blocks;
  DeviceMemory low;
  DeviceMemory high;
  DeviceMemory scales;
};

enum class Kernel { kGemvQ8, kGemmQ8, kGemmQ8Small, kGemvF32, kGemmF32 };
[[nodiscard]] std::string to_string(Kernel kernel);

// What one launch computes: up to three cases that have x in common.
struct Linear {
  Kernel kernel = Kernel::kGemvQ8;
  std::vector<const kernel_tests::OpCase*> cases = {};
  bool silu = false;
  std::vector<float> residual = {};  // of the first case, or empty
  bool in_place = false;             // y is where the residual is
  int columns = 0;                   // of a gemv: 1, 4 or 8; 0: the fewest that will do
};

// y of each case (of the gate alone with silu).
[[nodiscard]] std::vector<std::vector<float>> run(const Linear& linear,
                                                  const emulator::Options& options = {});

// silu(gate) * up of one token by belay_linear_swiglu_q8, of which x is the gate's.
[[nodiscard]] QuantisedOnDevice run_swiglu(const kernel_tests::OpCase& gate, const kernel_tests::OpCase& up,
                                           const emulator::Options& options = {});

// All the schedules of the emulator that matter.
[[nodiscard]] std::span<const emulator::Options> schedules();

}  // namespace belay::cuda_tests
