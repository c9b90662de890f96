// Weights of a checkpoint (F32, F16, BF16) to the types of GGUF files, a row at a time, by the rules of
// ggml's reference quantisers without an importance matrix: equal bytes, so equal quality. Pure; any thread:
// rows go in parallel.
#pragma once

#include "core/base/dtype.hpp"
#include "core/base/status.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace belay::formats {

// The values of F32, F16 or BF16 bytes, which need not be aligned and are exactly those of `out`. kBadInput
// for another type.
[[nodiscard]] Status to_f32(DType from, std::span<const std::byte> bytes, std::span<float> out);

// One row of a matrix as F32, F16, BF16, Q8_0, Q4_0, Q4_K or Q6_K; `out` has row_bytes(to, x.size()) bytes.
// `row` is its number, for messages. kBadInput when `to` is another type, the row is no whole number of its
// blocks, or a value is NaN, infinite, or beyond 65504 where the type holds halves (all but F32 and BF16).
[[nodiscard]] Status quantize_row(DType to, std::span<const float> x, std::span<std::byte> out,
                                  std::uint64_t row);

}  // namespace belay::formats
