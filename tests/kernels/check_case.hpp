// Runs one case on one plugin, serially and in many ranges, and lists every rule of the ABI that it broke.
#pragma once

#include "tests/kernels/bound_kernel.hpp"
#include "tests/kernels/op_case.hpp"

namespace belay::kernel_tests {

struct Report {
  Findings findings;
  bool refused = false;      // `supports` said NO: nothing was run
  std::string refusal;       // its detail
  double largest_ratio = 0;  // observed |error| / tolerance
};

// Rules: value, unwritten elements included; nmse; canary; input_changed; constant_changed; threads;
// supports; status; allocation; float_state.
[[nodiscard]] Report check_case(const LoadedPlugin& plugin, const OpCase& op_case);

// The operands of one run, in memory that notices.
class RunOperands {
 public:
  RunOperands(const OpCase& op_case, std::uint64_t workspace_bytes);

  // The arguments as an ABI struct; pointers live as long as this object.
  [[nodiscard]] belay_run_t arguments();
  void check_untouched(const OpCase& op_case, Findings& findings) const;
  [[nodiscard]] std::span<const std::uint8_t> output(std::size_t i) const {
    return output_memory_[i].bytes();
  }

  std::vector<belay_tensor_t> inputs;
  std::vector<belay_tensor_t> outputs;

 private:
  std::vector<GuardedBuffer> input_memory_;
  std::vector<GuardedBuffer> output_memory_;
  std::vector<const belay_tensor_t*> input_pointers_;
  std::vector<const belay_tensor_t*> output_pointers_;
  GuardedBuffer workspace_;
  std::uint64_t position_;
};

}  // namespace belay::kernel_tests
