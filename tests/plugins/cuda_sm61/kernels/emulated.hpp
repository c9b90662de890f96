// Launches of single kernels in the emulator, in every schedule, judged by what the cases of tests/kernels
// expect.
#pragma once

#include "tests/kernels/op_case.hpp"
#include "tests/plugins/cuda_sm61/emulator/launch.hpp"
#include "tests/plugins/cuda_sm61/kernels/guarded_memory.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace belay::cuda_tests {

// Runs a kernel of the list with the block size that the list gives it.
void launch_named(const std::string& name, void* params, emulator::Extent grid,
                  const emulator::Options& options);

template <class Params>
void launch_kernel(const std::string& name, Params params, emulator::Extent grid,
                   const emulator::Options& options) {
  launch_named(name, &params, grid, options);
}

[[nodiscard]] inline std::uint32_t blocks_of(std::size_t count, std::size_t unit) {
  return static_cast<std::uint32_t>((count + unit - 1) / unit);
}

// The operands of a case in memory of their own.
struct Operands {
  explicit Operands(const kernel_tests::OpCase& op_case);
  // Of input, constant or output `i`; null where the case has none.
  template <class T>
  [[nodiscard]] T* input(std::size_t i) const {
    return i < inputs.size() ? inputs[i]->as<T>() : nullptr;
  }
  template <class T>
  [[nodiscard]] T* constant(std::size_t i) const {
    return i < constants.size() ? constants[i]->as<T>() : nullptr;
  }
  template <class T>
  [[nodiscard]] T* output(std::size_t i) const {
    return outputs[i]->as<T>();
  }

  std::vector<std::unique_ptr<GuardedMemory>> inputs;
  std::vector<std::unique_ptr<GuardedMemory>> constants;
  std::vector<std::unique_ptr<GuardedMemory>> outputs;
};

// Runs the case once in each schedule. What comes out must be what the case expects, have the same bits in
// all schedules, and leave the memory around and the inputs as they were.
using Run = std::function<void(const Operands&, const emulator::Options&)>;
void expect_right(const kernel_tests::OpCase& op_case, const std::string& kernel, const Run& run);

// The same for what is no case: `run` gives the outputs' bytes, which must not depend on the schedule;
// returns them.
using RunBytes = std::function<std::vector<std::uint8_t>(const emulator::Options&)>;
std::vector<std::uint8_t> in_every_schedule(const std::string& label, const RunBytes& run);

[[nodiscard]] std::vector<std::uint8_t> joined(std::initializer_list<const GuardedMemory*> memories);

// Schedules of this build: fewer where each costs much.
[[nodiscard]] const std::vector<emulator::Options>& all_schedules();

// A seed that no test had before.
[[nodiscard]] std::uint64_t new_seed();

}  // namespace belay::cuda_tests
