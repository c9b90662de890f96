#include "core/models/vision.hpp"

#include "tests/support/doctest.hpp"

#include <numeric>

using namespace belay;  // NOLINT(google-build-using-namespace)

TEST_CASE("patches go block by block, and so do their coordinates") {
  const models::PatchGrid grid = {2, 4};
  CHECK(models::patch_coordinates(grid) == std::vector<std::int32_t>{0, 0, 1, 1, 0, 0, 1, 1,  // rows
                                                                     0, 1, 0, 1, 2, 3, 2, 3});
  CHECK(grid.tokens().rows == 1);
  CHECK(grid.tokens().columns == 2);
}

TEST_CASE("learned positions are stretched from corner to corner") {
  // A table of 3 x 3 whose value is 10 * row + column, exact under bilinear blending.
  std::vector<float> table;
  for (int row = 0; row < 3; ++row) {
    for (int column = 0; column < 3; ++column) table.push_back(static_cast<float>(10 * row + column));
  }
  // 2 rows: 0 and 2; 4 columns: 0, 2/3, 4/3 and 2.
  const std::vector<float> rows = models::position_rows(table, 3, 1, {2, 4});
  const std::vector<float> expected = {0, 2.F / 3, 20, 20 + 2.F / 3, 4.F / 3, 2, 20 + 4.F / 3, 22};
  REQUIRE(rows.size() == expected.size());
  for (std::size_t i = 0; i < rows.size(); ++i) CHECK(rows[i] == doctest::Approx(expected[i]));
}

TEST_CASE("a table of one position serves every patch, and a single row stays at the top") {
  CHECK(models::position_rows(std::vector<float>{3, 4}, 1, 2, {2, 2}) ==
        std::vector<float>{3, 4, 3, 4, 3, 4, 3, 4});
}
