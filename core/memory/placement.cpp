#include "core/memory/placement.hpp"

#include "core/base/format.hpp"

#include <algorithm>

namespace belay::memory {
namespace {

std::uint64_t sum(std::span<const LayerBytes> layers) {
  std::uint64_t total = 0;
  for (const LayerBytes& layer : layers) total += layer.all;
  return total;
}

std::uint64_t largest_of(std::span<const LayerBytes> layers, std::uint64_t LayerBytes::*bytes) {
  std::uint64_t most = 0;
  for (const LayerBytes& layer : layers) most = std::max(most, layer.*bytes);
  return most;
}

LayerPlacement split(std::span<const LayerBytes> layers, std::size_t pinned,
                     std::uint64_t LayerBytes::*unit) {
  const auto streamed = layers.subspan(pinned);
  return {pinned, sum(layers.first(pinned)), 2 * largest_of(streamed, unit), sum(streamed)};
}

}  // namespace

LayerPlacement unpin_layers(std::span<const LayerBytes> layers, const LayerPlacement& now,
                            std::uint64_t bytes) {
  LayerPlacement best = now;
  for (std::size_t pinned = now.pinned; pinned-- > 0;) {
    const LayerPlacement placement = split(layers, pinned, &LayerBytes::all);
    if (taken(placement) < taken(best)) best = placement;
    if (taken(now) >= taken(best) + bytes) break;
  }
  return best;
}

Result<LayerPlacement> pin_layers(std::span<const LayerBytes> layers, std::uint64_t room) {
  for (const auto unit : {&LayerBytes::all, &LayerBytes::largest}) {
    for (std::size_t pinned = layers.size() + 1; pinned-- > 0;) {
      const LayerPlacement placement = split(layers, pinned, unit);
      if (taken(placement) <= room) return placement;
    }
  }
  return fail(
      ErrorCode::kOutOfMemory,
      "no room to stream the layers: two matrices of {} bytes, one computed while the next is read, and {} "
      "bytes are left for them",
      largest_of(layers, &LayerBytes::largest), room);
}

}  // namespace belay::memory
