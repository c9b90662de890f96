#include "core/dispatch/packed_weights.hpp"

#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/base/mapped_file.hpp"

#include <algorithm>
#include <bit>

namespace belay::dispatch {
namespace {

constexpr std::uint64_t kPage = 4096;

std::uint64_t alignment_of(const belay_packed_t& form) {
  return std::max<std::uint64_t>(form.alignment, memory::kAlignment);
}

// The first place from `offset` on whose address is a multiple of `alignment`.
std::uint64_t aligned_from(const memory::Buffer& buffer, std::uint64_t offset, std::uint64_t alignment) {
  const std::uint64_t address = reinterpret_cast<std::uintptr_t>(buffer.data()) + offset;
  return offset + (alignment - address % alignment) % alignment;
}

}  // namespace

std::uint64_t PackedWeights::room_for(const belay_packed_t& form) {
  const CheckedU64 room = CheckedU64(form.bytes) + (alignment_of(form) - 1);
  return room.value().value_or(~std::uint64_t{0});
}

void PackedWeights::reserve(std::uint64_t bytes) {
  auto block = memory::Buffer::allocate(bytes, "packed weights", memory::Pages::kLarge);
  if (block.ok()) block_ = *std::move(block);
}

Result<std::span<std::byte>> PackedWeights::take(const belay_packed_t& form) {
  if (form.alignment > kPage || !std::has_single_bit(std::max<std::uint64_t>(form.alignment, 1))) {
    return fail(ErrorCode::kNoPlugin, "packed weights aligned to {} bytes: no power of two up to {}",
                form.alignment, kPage);
  }
  const auto fits = [&](std::span<std::byte> place) {
    return place.size() == form.bytes &&
           reinterpret_cast<std::uintptr_t>(place.data()) % alignment_of(form) == 0;
  };
  if (const auto found = std::ranges::find_if(free_, fits); found != free_.end()) {
    const std::span<std::byte> place = *found;
    free_.erase(found);
    return place;
  }
  const std::uint64_t begin = aligned_from(block_, used_, alignment_of(form));
  if (begin <= block_.size() && form.bytes <= block_.size() - begin) {
    used_ = begin + form.bytes;
    return std::span(block_.data() + begin, form.bytes);
  }
  const CheckedU64 bytes = CheckedU64(form.bytes) + (alignment_of(form) - memory::kAlignment);
  BELAY_TRY_ASSIGN(memory::Buffer other,
                   memory::Buffer::allocate(bytes.value().value_or(~std::uint64_t{0}), "packed weights"));
  others_.push_back(std::move(other));
  return std::span(others_.back().data() + aligned_from(others_.back(), 0, alignment_of(form)), form.bytes);
}

void PackedWeights::give_back(std::span<std::byte> taken) {
  forget_pages(taken);  // no file has these bytes: they are lost, as is wanted
  if (!taken.empty()) free_.push_back(taken);
}

std::uint64_t PackedWeights::bytes() const {
  std::uint64_t total = used_;
  for (const memory::Buffer& other : others_) total += other.size();
  for (const std::span<std::byte> place : free_) total -= place.size();
  return total;
}

}  // namespace belay::dispatch
