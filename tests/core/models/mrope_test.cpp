#include "core/models/mrope.hpp"

#include "tests/support/doctest.hpp"

using namespace belay::models;  // NOLINT(google-build-using-namespace)

namespace {

constexpr std::int32_t kImage = 7;

struct Filled {
  std::vector<std::int32_t> time;
  std::vector<std::int32_t> height;
  std::vector<std::int32_t> width;
  std::int32_t next = 0;
};

Filled fill(const std::vector<std::int32_t>& tokens, const std::vector<TokenGrid>& grids,
            std::int32_t start) {
  std::vector<std::int32_t> all(kPositionAxes * tokens.size());
  Filled filled;
  filled.next = fill_positions(tokens, kImage, grids, start, all);
  const auto axis = [&](std::size_t i) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * tokens.size());
    return std::vector<std::int32_t>(begin, begin + static_cast<std::ptrdiff_t>(tokens.size()));
  };
  filled.time = axis(0);
  filled.height = axis(1);
  filled.width = axis(2);
  return filled;
}

using Row = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("text moves all axes along") {
  const Filled filled = fill({1, 2, 3}, {}, 5);
  CHECK(filled.time == Row{5, 6, 7});
  CHECK(filled.height == filled.time);
  CHECK(filled.width == filled.time);
  CHECK(filled.next == 8);
}

TEST_CASE(
    "an image stands at one time and spreads over height and width; text goes on behind its longer side") {
  const Filled filled = fill({1, 7, 7, 7, 7, 7, 7, 2}, {{2, 3}}, 0);
  CHECK(filled.time == Row{0, 1, 1, 1, 1, 1, 1, 4});
  CHECK(filled.height == Row{0, 1, 1, 1, 2, 2, 2, 4});
  CHECK(filled.width == Row{0, 1, 2, 3, 1, 2, 3, 4});
  CHECK(filled.next == 5);
}

TEST_CASE("images may touch, and image tokens beyond the images are text") {
  const Filled filled = fill({7, 7, 7, 7}, {{2, 1}, {1, 1}}, 10);
  CHECK(filled.time == Row{10, 10, 12, 13});
  CHECK(filled.height == Row{10, 11, 12, 13});
  CHECK(filled.width == Row{10, 10, 12, 13});
  CHECK(filled.next == 14);
}
