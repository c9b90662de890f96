// Weights of any type as floats, a few rows at a time: what the f32 kernels and embed compute with.
#pragma once

#include "plugins/cpu_kernels/quant/format.hpp"

namespace belay::BELAY_ISA {

// Writes the values [first, first + count) of the first `row_count` of `rows` to out, each row `stride`
// floats after the one before. For quantised types first and count are multiples of the block.
using UnpackRows = void (*)(const Rows& rows, int row_count, int64_t first, int64_t count, float* out,
                            int64_t stride);

// nullptr for a dtype that is no weight type.
UnpackRows unpack_rows(int32_t dtype);

// Values and bytes of a block of this dtype, both 0 when it is no weight type.
struct BlockSize {
  int64_t values;
  uint64_t bytes;
};
BlockSize block_size(int32_t dtype);

}  // namespace belay::BELAY_ISA
