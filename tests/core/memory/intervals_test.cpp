#include "core/memory/intervals.hpp"

#include "tests/support/doctest.hpp"

#include <random>

using belay::memory::Interval;
using belay::memory::pack_intervals;

namespace {

bool overlap(const Interval& a, const Interval& b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

TEST_CASE("values that are never alive together share bytes") {
  const std::vector<Interval> intervals = {{100, 0, 1}, {100, 2, 3}};
  const auto packing = pack_intervals(intervals);
  CHECK(packing.offsets == std::vector<std::uint64_t>{0, 0});
  CHECK(packing.total_bytes == 128);
}

TEST_CASE("nothing needs nothing") { CHECK(pack_intervals({}).total_bytes == 0); }

TEST_CASE("random intervals: living values never overlap, offsets are aligned, the total holds all") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<Interval> intervals(random() % 40);
    for (Interval& interval : intervals) {
      interval.bytes = random() % 5000;
      interval.first = static_cast<std::uint32_t>(random() % 30);
      interval.last = interval.first + static_cast<std::uint32_t>(random() % 6);
    }
    const auto packing = pack_intervals(intervals);
    for (std::size_t i = 0; i < intervals.size(); ++i) {
      REQUIRE(packing.offsets[i] % 64 == 0);
      REQUIRE(packing.offsets[i] + intervals[i].bytes <= packing.total_bytes);
      for (std::size_t j = 0; j < i; ++j) {
        if (!overlap(intervals[i], intervals[j])) continue;
        const bool apart = packing.offsets[i] + intervals[i].bytes <= packing.offsets[j] ||
                           packing.offsets[j] + intervals[j].bytes <= packing.offsets[i];
        CAPTURE(round);
        REQUIRE(apart);
      }
    }
  }
}
