// Where temporary values lie in one block of scratch memory: values that are never alive at the same time
// share bytes. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace belay::memory {

// A value alive from the step that writes it to the last step that reads it, both included.
struct Interval {
  std::uint64_t bytes = 0;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
};

struct Packing {
  std::vector<std::uint64_t> offsets;  // one for each interval, multiples of 64
  std::uint64_t total_bytes = 0;
};

// Greedy by size, largest first, each at the lowest offset that no overlapping interval holds.
[[nodiscard]] Packing pack_intervals(std::span<const Interval> intervals);

}  // namespace belay::memory
