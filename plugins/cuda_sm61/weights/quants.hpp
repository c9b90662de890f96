// The quants of 32 values of a block, as the file has them: for Q8_0 the bytes, else 0..15, 0..31 or 0..63.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace belay::cuda {

// A byte for each: word j has the values 4j..4j+3, the first lowest.
using Quants = std::array<std::uint32_t, 8>;

// `sub` counts the runs of 32 values in a block: 0 in blocks of 32.
[[nodiscard]] Quants read_quants(std::int32_t dtype, const std::uint8_t* block, std::size_t sub);

// The 6-bit scale and minimum of run `sub` of a Q4_K or Q5_K block.
struct SmallScales {
  std::uint8_t scale;
  std::uint8_t minimum;
};
[[nodiscard]] SmallScales small_scales(const std::uint8_t* block, std::size_t sub);

}  // namespace belay::cuda
