// Small operators with their answers, computed here by the plainest loops: what a plugin must get right
// before it is used. Independent of any plugin's code. Pure.
#pragma once

#include "core/base/dtype.hpp"
#include "core/memory/buffer.hpp"

#include <belay/op.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::registry {

// A tensor and its bytes. The dimension of the tokens, when it has one, is the first.
struct Operand {
  belay_tensor_t tensor{};
  memory::Buffer bytes;
  bool has_tokens = false;
};

struct KnownCase {
  std::string_view op;
  std::vector<std::byte> attributes;
  std::vector<Operand> inputs;
  std::vector<Operand> constants;
  std::vector<Operand> outputs;              // caches hold what they held before the run; the rest holds NaN
  std::vector<std::vector<float>> expected;  // of each output, in full
  std::uint64_t tokens = 0;
  std::uint64_t position = 0;
};

// The case of an operator with weights (linear, embed, the composites) or a cache (kv_write, attention) of
// this type; the other operators know f32 only. Nothing when there is none.
[[nodiscard]] std::optional<KnownCase> known_case(std::string_view op, DType dtype);

}  // namespace belay::registry
