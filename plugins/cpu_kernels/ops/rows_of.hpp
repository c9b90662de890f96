// Rows of floats or half floats in memory that somebody else owns.
#pragma once

#include "plugins/cpu_kernels/simd/simd.hpp"

namespace belay::BELAY_ISA {

// `stride` elements from one row to the next.
template <class Element>
struct RowsOf {
  Element* data;
  int64_t stride;
  [[nodiscard]] Element* row(int64_t index) const { return data + index * stride; }
  [[nodiscard]] RowsOf from(int64_t index) const { return {row(index), stride}; }
};

// Asks for the elements [from, to) of some rows, to L2: rows that are a power of two apart would push each
// other out of L1. Any address is fine.
template <class Element>
inline void prefetch(RowsOf<const Element> rows, int64_t count, int64_t from, int64_t to) {
  constexpr auto kLine = static_cast<int64_t>(64 / sizeof(Element));
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t i = from; i < to; i += kLine) __builtin_prefetch(rows.row(r) + i, 0, 2);
  }
}

}  // namespace belay::BELAY_ISA
