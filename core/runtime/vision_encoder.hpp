// Runs the vision encoder over one image at a time; attention never reaches from one image into another.
// Memory is laid out for the size of the image at hand and kept for the next of that size. One thread at a
// time.
#pragma once

#include "core/models/tensors.hpp"
#include "core/models/vision.hpp"
#include "core/runtime/executor.hpp"
#include "core/runtime/image_rows.hpp"
#include "core/threading/pool.hpp"

#include <optional>
#include <span>

namespace belay::runtime {

class VisionEncoder {
 public:
  // Everything given must outlive the encoder. `position_table` is the model's, f32.
  VisionEncoder(const models::Vision& vision, std::span<const float> position_table,
                dispatch::Dispatcher& dispatcher, threading::Pool& pool, const Stop& stop)
      : vision_(vision), table_(position_table), dispatcher_(dispatcher), pool_(pool), stop_(stop) {}

  // `patches` f32 (grid.patches(), 768), in the order of the graph's inputs. kOutOfMemory when the image
  // needs more than there is; kInterrupted, kDeadline.
  [[nodiscard]] Result<ImageRows> encode(const models::PatchGrid& grid, std::span<const float> patches);

 private:
  Status make_room(std::uint64_t patches);

  const models::Vision& vision_;
  std::span<const float> table_;
  dispatch::Dispatcher& dispatcher_;
  threading::Pool& pool_;
  const Stop& stop_;
  std::optional<Executor> executor_;
  std::uint64_t room_ = 0;  // patches that the executor is laid out for
};

}  // namespace belay::runtime
