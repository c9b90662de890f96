#include "plugins/nvme_offload/extents.hpp"

#include <belay/cpp/guard.hpp>

#include <cinttypes>

namespace belay::nvme {
namespace {

// The rule that it breaks, or null.
const char* broken_rule(const belay_extent_t& extent, const Limits& limits) {
  const auto address = reinterpret_cast<std::uintptr_t>(extent.to);
  if (extent.bytes == 0) return nullptr;
  if (extent.to == nullptr) return "has no memory";
  if ((extent.offset | extent.bytes | address) % limits.block != 0) return "is not made of whole blocks";
  std::uint64_t end = 0;
  if (__builtin_add_overflow(extent.offset, extent.bytes, &end) ||
      __builtin_add_overflow(address, extent.bytes, &end)) {
    return "is larger than there are numbers";
  }
  end = extent.offset + extent.bytes;
  if (end > limits.file_bytes && end - limits.file_bytes >= limits.block) {
    return "reaches a block or more past the end of the file";
  }
  return nullptr;
}

}  // namespace

belay_status_t check_extents(std::span<const belay_extent_t> extents, const Limits& limits,
                             belay_error_t* error) {
  if (extents.empty()) return sdk::fail(error, BELAY_INVALID_ARGUMENT, "read: there is no extent");
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const char* rule = broken_rule(extents[i], limits);
    if (rule == nullptr) continue;
    return sdk::fail(error, BELAY_INVALID_ARGUMENT,
                     "read: extent %zu (%" PRIu64 " bytes at %" PRIu64 ") %s (blocks of %" PRIu64
                     ", a file of %" PRIu64 ")",
                     i, extents[i].bytes, extents[i].offset, rule, limits.block, limits.file_bytes);
  }
  return BELAY_OK;
}

std::uint64_t count_chunks(std::span<const belay_extent_t> extents) {
  std::uint64_t count = 0;
  for (const belay_extent_t& extent : extents) {
    count += extent.bytes / kChunkBytes + (extent.bytes % kChunkBytes != 0 ? 1 : 0);
  }
  return count;
}

}  // namespace belay::nvme
