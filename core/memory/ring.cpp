#include "core/memory/ring.hpp"

#include <algorithm>

namespace belay::memory {
namespace {

// How many laps the items need when each holds at most `lap_bytes`, which is no less than the largest.
std::size_t laps_of(std::span<const std::uint64_t> sizes, std::uint64_t lap_bytes) {
  std::size_t laps = 0;
  std::uint64_t left = 0;
  for (const std::uint64_t size : sizes) {
    if (size > left) {
      ++laps;
      left = lap_bytes;
    }
    left -= size;
  }
  return laps;
}

// The shortest lap by which the items need no more than `laps`, between the largest item and `most`.
std::uint64_t shortest_lap(std::span<const std::uint64_t> sizes, std::size_t laps, std::uint64_t most) {
  std::uint64_t low = *std::max_element(sizes.begin(), sizes.end());
  while (low < most) {
    const std::uint64_t middle = low + (most - low) / 2;
    if (laps_of(sizes, middle) <= laps) {
      most = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

bool share_bytes(const Ring& ring, std::span<const std::uint64_t> sizes, std::size_t a, std::size_t b) {
  return ring.offsets[a] < ring.offsets[b] + sizes[b] && ring.offsets[b] < ring.offsets[a] + sizes[a];
}

}  // namespace

std::optional<Ring> lay_out_ring(std::span<const std::uint64_t> sizes, std::uint64_t most_bytes) {
  Ring ring;
  if (sizes.empty()) return ring;
  if (*std::max_element(sizes.begin(), sizes.end()) > most_bytes) return std::nullopt;
  ring.bytes = shortest_lap(sizes, laps_of(sizes, most_bytes), most_bytes);
  std::uint64_t end = 0;
  for (const std::uint64_t size : sizes) {
    if (size > ring.bytes - end) end = 0;
    ring.offsets.push_back(end);
    end += size;
  }
  const std::size_t n = sizes.size();
  for (std::size_t i = 0; i < n; ++i) {
    std::size_t distance = 1;
    while (!share_bytes(ring, sizes, i, (i + n - distance) % n)) ++distance;
    ring.distances.push_back(distance);
  }
  return ring;
}

}  // namespace belay::memory
