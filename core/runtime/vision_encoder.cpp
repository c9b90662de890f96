#include "core/runtime/vision_encoder.hpp"

#include <array>

namespace belay::runtime {

Result<ImageRows> VisionEncoder::encode(const models::PatchGrid& grid, std::span<const float> patches) {
  BELAY_TRY(make_room(grid.patches()));
  const std::vector<std::int32_t> coordinates = models::patch_coordinates(grid);
  const std::vector<float> positions =
      models::position_rows(table_, vision_.config.table_side, vision_.config.width, grid);
  const std::array<const void*, 3> inputs = {patches.data(), positions.data(), coordinates.data()};
  {
    const threading::Pool::Step awake(pool_);
    BELAY_TRY(executor_->run(grid.patches(), 0, inputs));
  }
  ImageRows rows;
  rows.grid = grid.tokens();
  for (std::size_t level = 0; level < vision_.graph.outputs.size(); ++level) {
    const std::span<const float> output = executor_->output(level);
    rows.levels.emplace_back(output.begin(), output.end());
  }
  return rows;
}

Status VisionEncoder::make_room(std::uint64_t patches) {
  if (executor_ && patches <= room_) return {};
  executor_.reset();  // its memory goes first
  BELAY_TRY(dispatcher_.reserve(patches));
  BELAY_TRY_ASSIGN(executor_, Executor::create(vision_.graph, dispatcher_, patches, {}, stop_));
  room_ = patches;
  return {};
}

}  // namespace belay::runtime
