// From the file's rows to the packed form.
#include "plugins/cpu_kernels/ops/linear.hpp"
#include "plugins/cpu_kernels/ops/outer_tile.hpp"
#include "plugins/cpu_kernels/quant/packed.hpp"

#include <belay/op.h>

#include <algorithm>
#include <cstring>

namespace belay::BELAY_ISA {
namespace {

template <class F>
void pack_blocks(const Weight& weight, int64_t begin, int64_t end, uint8_t* to) {
  for (int64_t group = begin; group < end; ++group) {
    Rows rows;
    const int64_t row = group * kLanes;
    row_pointers(weight.data, weight.row_bytes, row, weight.rows - row, rows);
    Packed<F>::pack_group(rows, weight.cols,
                          to + static_cast<uint64_t>(group) * Packed<F>::group_bytes(weight.cols));
  }
}

// Rows past the last repeat it.
template <class Element>
void pack_floats(const Weight& weight, int64_t begin, int64_t end, uint8_t* to) {
  const int64_t panel_elements = weight.cols * kTileWidth;
  for (int64_t group = begin; group < end; ++group) {
    Element* panel = reinterpret_cast<Element*>(to) + group * panel_elements;
    for (int64_t r = 0; r < kTileWidth; ++r) {
      const auto row = static_cast<uint64_t>(std::min(group * kTileWidth + r, weight.rows - 1));
      const uint8_t* from = weight.data + row * weight.row_bytes;
      for (int64_t k = 0; k < weight.cols; ++k, from += sizeof(Element))
        std::memcpy(panel + k * kTileWidth + r, from, sizeof(Element));
    }
  }
}

template <class Element>
Packing float_packing(const Weight& weight) {
  return {(weight.rows + kTileWidth - 1) / kTileWidth,
          static_cast<uint64_t>(weight.cols * kTileWidth) * sizeof(Element), &pack_floats<Element>};
}

}  // namespace

Packing packing_of(const Weight& weight, int32_t numerics) {
  if (!kPacksWeights) return {};
  if (weight.dtype == BELAY_DTYPE_F32) return float_packing<uint32_t>(weight);
  if (weight.dtype == BELAY_DTYPE_F16 || weight.dtype == BELAY_DTYPE_BF16)
    return float_packing<uint16_t>(weight);
  Packing packing = {};
  if (numerics == BELAY_NUMERICS_F32) return packing;
  visit_packed(weight.dtype, [&](auto format) {
    using F = decltype(format);
    packing = {(weight.rows + kLanes - 1) / kLanes, Packed<F>::group_bytes(weight.cols), &pack_blocks<F>};
  });
  return packing;
}

}  // namespace belay::BELAY_ISA
