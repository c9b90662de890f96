// What a quantised format tells the kernels; each is one struct in this folder, and nothing else knows its
// bits. A weight is `scale * q + offset` with an integer q and a scale and an offset for each group of
// consecutive values:
//
//   kBlock, kBytes    values and bytes of a block                      kGroup   values of a group, 32 or 16
//   kSigned           q is a signed byte and there is no offset; else q is unsigned
//   kBits             of q
//   kZero             when not 0, the offset is always -kZero * scale: q stands for q - kZero
//   quants(block, i)  the 32 integers from value 32*i on
//   affine(rows, scale, offset)   for the block at rows[r] of each of kLanes rows: lane r of scale[g] and of
//                     offset[g] for its kBlock/kGroup groups
//
// For the packed form (packed.hpp), which is made of the same numbers:
//
//   kHalves           where a block has its half floats: its scale, then what gives the offsets
//   kSmallBits        of the 16 small integers of a block, or 0
//   small(block, integers)   these: a scale for each group, then, with two halves, a minimum for each
//
// Both products are exact in float for every format, so the value has at most one rounding, as in GGUF's
// reference.
#pragma once

#include "plugins/cpu_kernels/simd/simd.hpp"

#include <belay/tensor.h>

namespace belay::BELAY_ISA {

using Rows = const uint8_t* [kLanes];

// The kLanes rows of a matrix from `row` on; rows past the last are the last one, so that tails need no other
// code.
inline void row_pointers(const uint8_t* data, uint64_t row_bytes, int64_t row, int64_t count, Rows& rows) {
  for (int r = 0; r < kLanes; ++r) {
    rows[r] = data + static_cast<uint64_t>(row + (r < count ? r : count - 1)) * row_bytes;
  }
}

// Asks for cache lines; any address is fine.
inline void prefetch_lines(const uint8_t* from, int bytes) {
  for (int i = 0; i < bytes; i += 64) __builtin_prefetch(from + i);
}

template <class F>
inline constexpr int kGroups = F::kBlock / F::kGroup;

// How many products of dot_u8 can be added in int16 before they must be widened: each is at most 2 * 127
// times the largest |q|, or |q - kZero| where the sum starts at -kZero times the activations' (it may wrap on
// its way).
template <class F>
inline constexpr int kSumsInI16 = 32767 / (2 * 127 * (F::kZero != 0 ? F::kZero : (1 << F::kBits) - 1));

}  // namespace belay::BELAY_ISA
