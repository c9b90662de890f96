// A linear of tests/kernels on the emulated device: weights packed, activations quantised, one kernel
// launched with the grid that a host would give.
#pragma once

#include "plugins/cuda_sm61/weights/layout.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/plugins/cuda_sm61/kernels/emulated.hpp"

// Outside of any namespace, as the kernels have them.
#include "plugins/cuda_sm61/kernels/linear_norm_params.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace belay::cuda_tests {

// The weight of a case as the kernels read it.
struct PackedWeight {
  explicit PackedWeight(const kernel_tests::Operand& weight);
  [[nodiscard]] WeightPlanes planes() const { return cuda::planes_at(layout, memory.as<void>()); }

  cuda::PackedLayout layout;
  GuardedMemory memory;
};

// x [tokens, k] through belay_linear_quantise.
struct QuantisedOnDevice {
  QuantisedOnDevice(std::span<const std::uint8_t> x, std::size_t tokens, std::size_t k,
                    const emulator::Options& options = {});
  explicit QuantisedOnDevice(std::size_t block_count);  // nothing yet
  [[nodiscard]] bool intact() const { return low.intact() && high.intact() && scales.intact(); }

  std::size_t blocks;
  GuardedMemory low;
  GuardedMemory high;
  GuardedMemory scales;
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

// silu(gate) * up of one token by belay_linear_swiglu_q8 into `y`; x is the gate's.
void run_swiglu(const kernel_tests::OpCase& gate, const kernel_tests::OpCase& up, const QuantisedOnDevice& y,
                const emulator::Options& options);

// Of one token, W x + residual by belay_linear_norm_q8, and its norm by `weight`, quantised, into `normed`.
std::vector<float> run_norm(const kernel_tests::OpCase& op_case, const std::vector<float>& residual,
                            const std::vector<float>& weight, const QuantisedOnDevice& normed,
                            const emulator::Options& options);
// What belay_rms_norm, or for short rows belay_rms_norm_short, makes of one row, quantised.
void norm_row(const std::vector<float>& x, const std::vector<float>& weight, const QuantisedOnDevice& normed);

}  // namespace belay::cuda_tests
