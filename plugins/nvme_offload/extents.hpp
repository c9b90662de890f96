// The rules of extents in belay/ext/storage.h. Pure.
#pragma once

#include <belay/ext/storage.h>

#include <cstdint>
#include <span>

namespace belay::nvme {

// The size at which a read reaches full speed, and at which the threads of the pool still share a layer well.
constexpr std::uint64_t kChunkBytes = std::uint64_t{1} << 20U;

struct Limits {
  std::uint64_t block;
  std::uint64_t file_bytes;
};

// BELAY_OK, or BELAY_INVALID_ARGUMENT with the extent and the rule that it breaks.
belay_status_t check_extents(std::span<const belay_extent_t> extents, const Limits& limits,
                             belay_error_t* error);

// Of pieces of at most kChunkBytes; only for extents that passed the check.
[[nodiscard]] std::uint64_t count_chunks(std::span<const belay_extent_t> extents);

}  // namespace belay::nvme
