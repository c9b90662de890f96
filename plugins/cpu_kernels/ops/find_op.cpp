#include "plugins/cpu_kernels/ops/ops.hpp"

namespace belay::BELAY_ISA {

const OpRow* find_op(std::string_view id) {
  static constexpr const OpRow* kRows[] = {&kEmbed,   &kLinear,    &kRmsNorm, &kLayerNorm, &kRope,
                                           &kKvWrite, &kAttention, &kSiluMul, &kGelu,      &kAdd};
  for (const OpRow* row : kRows) {
    if (row->id == id) return row;
  }
  return nullptr;
}

}  // namespace belay::BELAY_ISA
