#include "core/models/mrope.hpp"

#include <algorithm>

namespace belay::models {

std::int32_t fill_positions(std::span<const std::int32_t> tokens, std::int32_t image_token,
                            std::span<const TokenGrid> grids, std::int32_t start,
                            std::span<std::int32_t> positions) {
  const std::size_t count = tokens.size();
  const auto put = [&](std::size_t i, std::int32_t time, std::int32_t height, std::int32_t width) {
    positions[i] = time;
    positions[count + i] = height;
    positions[2 * count + i] = width;
  };
  std::int32_t now = start;
  auto grid = grids.begin();
  for (std::size_t i = 0; i < count;) {
    if (grid == grids.end() || tokens[i] != image_token) {
      put(i++, now, now, now);
      ++now;
      continue;
    }
    const auto columns = static_cast<std::int32_t>(grid->columns);
    for (std::int32_t k = 0; k < static_cast<std::int32_t>(grid->tokens()) && i < count; ++k)
      put(i++, now, now + k / columns, now + k % columns);
    now += static_cast<std::int32_t>(std::max(grid->rows, grid->columns));
    ++grid;
  }
  return now;
}

}  // namespace belay::models
