// Activations as they are and weights as the file has them: which kernel takes how many tokens.
#include "plugins/cpu_kernels/ops/linear.hpp"

namespace belay::BELAY_ISA {
namespace {

void more_tokens(const LinearTask& task, const float* x, int64_t begin, int64_t end, float* panels) {
  const UnpackRows unpack = unpack_rows(task.weight.dtype);
  if (task.tokens < kPanelTokens) {
    few_tokens_f32(task, unpack, x, begin, end);
  } else {
    many_tokens_f32(task, unpack, x, begin, end, panels);
  }
}

void in_panels(const LinearTask& task, const float* x, int64_t begin, int64_t end, float* panels) {
  many_tokens_f32(task, unpack_rows(task.weight.dtype), x, begin, end, panels);
}

}  // namespace

FloatWay floats_of_file(int32_t dtype) {
  if (kPacksWeights && packed_floats(dtype).more_tokens != nullptr) return {nullptr, &in_panels, 0};
  return {one_token_f32(dtype), &more_tokens, kPanelTokens - 1};
}

}  // namespace belay::BELAY_ISA
