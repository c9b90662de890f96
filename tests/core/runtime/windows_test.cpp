#include "core/runtime/windows.hpp"

#include "tests/support/doctest.hpp"

#include <numeric>

namespace belay::test {
namespace {

using runtime::cut_windows;
using Ids = std::vector<std::int32_t>;
using Windows = std::vector<Ids>;

Ids text(std::size_t tokens) {
  Ids ids(tokens);
  std::iota(ids.begin(), ids.end(), 1);
  return ids;
}

}  // namespace

TEST_CASE("windows follow each other, and the last may be shorter") {
  CHECK(cut_windows(text(4), {4, 2, {}}) == Windows{{1, 2, 3, 4}});
  CHECK(cut_windows(text(7), {4, 2, {}}) == Windows{{1, 2, 3, 4}, {5, 6, 7}});
}

TEST_CASE("a window in which nothing would be scored is left out") {
  CHECK(cut_windows(text(6), {4, 2, {}}) == Windows{{1, 2, 3, 4}});
  CHECK(cut_windows(text(2), {4, 2, {}}).empty());
  CHECK(cut_windows({}, {4, 1, {}}).empty());
}

TEST_CASE("a first token that the model wants stands in every window and takes a place") {
  CHECK(cut_windows(text(6), {4, 2, 99}) == Windows{{99, 1, 2, 3}, {99, 4, 5, 6}});
  CHECK(cut_windows(text(4), {4, 1, 99}) == Windows{{99, 1, 2, 3}, {99, 4}});
  CHECK(cut_windows(text(2), {2, 1, 99}) == Windows{{99, 1}, {99, 2}});
}

}  // namespace belay::test
