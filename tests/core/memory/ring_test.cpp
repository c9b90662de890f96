#include "core/memory/ring.hpp"

#include "tests/support/doctest.hpp"

#include <algorithm>
#include <numeric>
#include <random>

using belay::memory::lay_out_ring;
using belay::memory::Ring;

namespace {

// Walks round the ring for some passes, reading ahead as far as the distances allow and one item at a time
// in use. Each byte remembers who wrote it last: an item in use must find all of its own.
bool walk_is_right(const Ring& ring, const std::vector<std::uint64_t>& sizes) {
  const std::size_t n = sizes.size();
  std::vector<std::size_t> owner(ring.bytes, ~std::size_t{0});
  std::size_t started = 0;
  for (std::size_t done = 0; done < 4 * n; ++done) {
    for (; started < done + ring.distances[started % n]; ++started) {
      const auto begin = owner.begin() + static_cast<std::ptrdiff_t>(ring.offsets[started % n]);
      std::fill(begin, begin + static_cast<std::ptrdiff_t>(sizes[started % n]), started);
    }
    if (started <= done) return false;
    const auto begin = owner.begin() + static_cast<std::ptrdiff_t>(ring.offsets[done % n]);
    const auto end = begin + static_cast<std::ptrdiff_t>(sizes[done % n]);
    if (!std::all_of(begin, end, [&](std::size_t who) { return who == done; })) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("items that all fit lie one behind the other and never make room") {
  const std::vector<std::uint64_t> sizes = {10, 20, 30};
  const auto ring = lay_out_ring(sizes, 100);
  REQUIRE(ring.has_value());
  CHECK(ring->bytes == 60);
  CHECK(ring->offsets == std::vector<std::uint64_t>{0, 10, 30});
  CHECK(ring->distances == std::vector<std::size_t>{3, 3, 3});
}

TEST_CASE("laps are of one length, so that no pass waits for the end of the one before") {
  const std::vector<std::uint64_t> sizes(6, 10);
  const auto ring = lay_out_ring(sizes, 45);
  REQUIRE(ring.has_value());
  CHECK(ring->bytes == 30);
  CHECK(ring->distances == std::vector<std::size_t>(6, 3));
}

TEST_CASE("an item that is larger than the ring has no place; no items need none") {
  const std::vector<std::uint64_t> sizes = {10, 50};
  CHECK_FALSE(lay_out_ring(sizes, 49).has_value());
  CHECK(lay_out_ring(sizes, 50).has_value());
  const auto none = lay_out_ring({}, 0);
  REQUIRE(none.has_value());
  CHECK(none->bytes == 0);
}

TEST_CASE("random items: whoever is in use has all of its bytes, pass after pass") {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    CAPTURE(round);
    std::vector<std::uint64_t> sizes(1 + random() % 30);
    for (std::uint64_t& size : sizes) size = 1 + random() % 50;
    const std::uint64_t least = *std::max_element(sizes.begin(), sizes.end());
    const std::uint64_t all = std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0});
    const std::uint64_t most = least + random() % (all + 10);
    const auto ring = lay_out_ring(sizes, most);
    REQUIRE(ring.has_value());
    REQUIRE(ring->bytes <= most);
    for (std::size_t i = 0; i < sizes.size(); ++i) REQUIRE(ring->offsets[i] + sizes[i] <= ring->bytes);
    REQUIRE(walk_is_right(*ring, sizes));
  }
}
