// Weights whose values are known without decoding them: every element is a small number, written by hand into
// the blocks of each GGUF format. Pure; used by the known answers of a probe and by tests.
#pragma once

#include "core/base/dtype.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace belay::registry {

struct KnownWeights {
  std::vector<std::byte> bytes;  // [rows, columns] of the type, rows of whole blocks
  std::vector<float> values;     // what they stand for, exactly
};

// A multiple of 0.5 in [-1.5, 2], different along rows and columns.
[[nodiscard]] float known_value(std::uint64_t row, std::uint64_t column);

// Nothing for a type that weights do not come in, or a row that is not a whole number of blocks.
[[nodiscard]] std::optional<KnownWeights> known_weights(DType dtype, std::uint64_t rows,
                                                        std::uint64_t columns);

}  // namespace belay::registry
