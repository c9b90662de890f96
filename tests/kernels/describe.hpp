// Operands as the descriptors of the C ABI.
#pragma once

#include "tests/kernels/op_case.hpp"

#include <belay/op.h>

#include <vector>

namespace belay::kernel_tests {

// The operand as a run sees it, at `data`.
[[nodiscard]] belay_tensor_t describe(const Operand& operand, void* data);

// An op as `supports`, `pack` and `bind` see it: tokens are BELAY_DYNAMIC, only constants have data. Keeps
// what the descriptor points to; constants' data must outlive it.
class OpDescription {
 public:
  OpDescription(const OpCase& op_case, const std::vector<void*>& constant_data);
  OpDescription(const OpDescription&) = delete;
  OpDescription& operator=(const OpDescription&) = delete;

  [[nodiscard]] const belay_op_t* get() const { return &op; }
  // For tests which break a description on purpose.
  belay_op_t op{};
  std::vector<belay_tensor_t> inputs;
  std::vector<belay_tensor_t> constants;
  std::vector<belay_tensor_t> outputs;

 private:
  std::vector<std::uint8_t> attributes_;
};

}  // namespace belay::kernel_tests
