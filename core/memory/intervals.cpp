#include "core/memory/intervals.hpp"

#include "core/memory/buffer.hpp"

#include <algorithm>
#include <numeric>

namespace belay::memory {
namespace {

std::uint64_t aligned(std::uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

bool overlap(const Interval& a, const Interval& b) { return a.first <= b.last && b.first <= a.last; }

// The lowest gap of `bytes` between the taken ranges, which are sorted by offset.
std::uint64_t lowest_gap(const std::vector<std::pair<std::uint64_t, std::uint64_t>>& taken,
                         std::uint64_t bytes) {
  std::uint64_t offset = 0;
  for (const auto& [begin, end] : taken) {
    if (begin >= offset + bytes) break;
    offset = std::max(offset, end);
  }
  return offset;
}

}  // namespace

Packing pack_intervals(std::span<const Interval> intervals) {
  std::vector<std::size_t> order(intervals.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return intervals[a].bytes > intervals[b].bytes; });
  Packing packing;
  packing.offsets.resize(intervals.size());
  std::vector<std::size_t> placed;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> taken;
  for (const std::size_t i : order) {
    const std::uint64_t bytes = aligned(intervals[i].bytes);
    taken.clear();
    for (const std::size_t j : placed) {
      if (overlap(intervals[i], intervals[j])) {
        taken.emplace_back(packing.offsets[j], packing.offsets[j] + aligned(intervals[j].bytes));
      }
    }
    std::sort(taken.begin(), taken.end());
    packing.offsets[i] = lowest_gap(taken, bytes);
    packing.total_bytes = std::max(packing.total_bytes, packing.offsets[i] + bytes);
    placed.push_back(i);
  }
  return packing;
}

}  // namespace belay::memory
