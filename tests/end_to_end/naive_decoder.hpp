// A whole llama, qwen2 or qwen3 model in doubles: the operators of tests/reference in the order of the
// papers, written apart from core/models. Slow, no cache, for tiny models.
#pragma once

#include "core/formats/gguf.hpp"

#include <cstdint>
#include <vector>

namespace belay::test {

// The logits behind the last of the tokens.
[[nodiscard]] std::vector<double> naive_logits(const formats::GgufFile& file,
                                               const std::vector<std::int32_t>& tokens);

}  // namespace belay::test
