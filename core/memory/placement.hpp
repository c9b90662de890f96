// Which layers of a model stay in memory and which are read from the disk while it runs. Pure.
//
// A pass over the model uses every layer once, in order, so a cache that drops what was used longest ago
// always drops what is needed next. Instead a prefix of the layers stays, and the rest goes through a ring,
// read ahead of the computation.
#pragma once

#include "core/base/status.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace belay::memory {

struct LayerBytes {
  std::uint64_t all = 0;      // of the matrices of one layer
  std::uint64_t largest = 0;  // of one of them
};

struct LayerPlacement {
  std::size_t pinned = 0;            // this many layers stay, the first ones
  std::uint64_t pinned_bytes = 0;    // that they take
  std::uint64_t ring_bytes = 0;      // for the others; 0 when there are none
  std::uint64_t streamed_bytes = 0;  // read in a pass
};

// What a placement takes of memory.
[[nodiscard]] constexpr std::uint64_t taken(const LayerPlacement& placement) {
  return placement.pinned_bytes + placement.ring_bytes;
}

// The most layers that stay within `room` bytes beside a ring that holds two of the streamed layers: the one
// that is computed and the next. Where not even that fits, a ring of two matrices. kOutOfMemory, with the
// figures, when there is no room for that either.
[[nodiscard]] Result<LayerPlacement> pin_layers(std::span<const LayerBytes> layers, std::uint64_t room);

// The most layers that stay when `bytes` of what `now` takes must become free; when that cannot be, what
// frees the most, which may be `now` itself.
[[nodiscard]] LayerPlacement unpin_layers(std::span<const LayerBytes> layers, const LayerPlacement& now,
                                          std::uint64_t bytes);

}  // namespace belay::memory
