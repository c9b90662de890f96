// Where the arrays of a packed weight lie: kernels/weight_planes.h describes them. Pure; any thread.
#pragma once

#include "plugins/cuda_sm61/kernels/weight_planes.h"

#include <cstdint>
#include <optional>

namespace belay::cuda {

inline constexpr std::uint64_t kPackedAlignment = 256;  // of the whole, and of each array in it

// Offsets of the arrays from the beginning, and the bytes of all; an array that the type lacks is empty.
struct PackedLayout {
  std::uint64_t quants = 0;
  std::uint64_t extra = 0;
  std::uint64_t scales = 0;
  std::uint64_t supers = 0;
  std::uint64_t bytes = 0;
};

// Of a weight [rows, k] of BELAY_DTYPE_* `dtype`. Nothing when the type is none of a weight, k is not a whole
// number of its blocks, or the kernels' 32-bit numbering of blocks does not reach that far (2^33 values).
[[nodiscard]] std::optional<PackedLayout> packed_layout(std::int32_t dtype, std::int64_t rows,
                                                        std::int64_t k);

// The arrays of a weight that was packed to `base`, an address of the device.
[[nodiscard]] WeightPlanes planes_at(const PackedLayout& layout, const void* base);

}  // namespace belay::cuda
