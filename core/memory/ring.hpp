// Where things that take turns in a ring of memory lie: weights that are read from a disk in the order in
// which a pass over the model needs them, pass after pass. Each has one fixed place, so that whoever works
// with it keeps one address. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace belay::memory {

struct Ring {
  std::vector<std::uint64_t> offsets;  // of each item
  // Item i may be filled again as soon as the item that many places before it, round and round, is done
  // with: it is the last that has bytes in the same place. Of n items at most n, the item itself.
  std::vector<std::size_t> distances;
  std::uint64_t bytes = 0;
};

// Items of these sizes, each more than 0, in a ring of at most `most_bytes`. The order is cut into laps of
// about the same length, as few as fit, and each lap begins at the start of the ring: so the last lap is as
// full as the others, and the first items of the next pass need not wait for it. Nothing when not even the
// largest fits.
[[nodiscard]] std::optional<Ring> lay_out_ring(std::span<const std::uint64_t> sizes,
                                               std::uint64_t most_bytes);

}  // namespace belay::memory
