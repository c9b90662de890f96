// What the vision encoder made of one image: the rows that stand in for its tokens. Plain data.
#pragma once

#include "core/models/mrope.hpp"

#include <vector>

namespace belay::runtime {

struct ImageRows {
  models::TokenGrid grid;
  // f32 (grid.tokens(), width of the decoder): the merged rows, then those of each deepstack level.
  std::vector<std::vector<float>> levels;
};

}  // namespace belay::runtime
