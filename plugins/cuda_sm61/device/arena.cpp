#include "plugins/cuda_sm61/device/arena.hpp"

#include <belay/cpp/guard.hpp>

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

namespace belay::cuda {
namespace {

constexpr std::uint64_t kMib = std::uint64_t{1} << 20U;
constexpr std::uint64_t kLeastSlab = 64 * kMib;
constexpr std::uint64_t kMostSlab =
    256 * kMib;  // large enough that little is left over behind weights of 10 MiB
constexpr std::uint64_t kSlabStep = 2 * kMib;  // the driver's own granularity

std::uint64_t round_up(std::uint64_t bytes, std::uint64_t step) { return (bytes + step - 1) / step * step; }

// With the rounding of an allocation; larger than any budget when it cannot be rounded.
std::uint64_t whole(std::uint64_t bytes) {
  if (bytes > ~std::uint64_t{0} - kSlabStep) return ~std::uint64_t{0} - kSlabStep;
  return round_up(std::max<std::uint64_t>(bytes, 1), Arena::kAlignment);
}

}  // namespace

std::uint64_t usable_memory(std::uint64_t free_bytes) {
  const std::uint64_t reserve = std::max(128 * kMib, free_bytes / 100 * 8);
  return free_bytes > reserve ? free_bytes - reserve : 0;
}

Arena::Arena(const Context& context, const Driver& driver, std::uint64_t budget)
    : context_(context), driver_(driver), budget_(budget) {}

Arena::~Arena() {
  if (context_.enter() != kSuccess) return;
  for (const Slab& slab : slabs_) (void)driver_.call(&Api::free, slab.base);
}

Result Arena::allocate(std::uint64_t bytes, DevicePointer& address) {
  const std::uint64_t needed = whole(bytes);
  const std::lock_guard lock(mutex_);
  const auto fits = [&](Slab& slab) { return take(slab, needed, address); };
  if (std::none_of(slabs_.begin(), slabs_.end(), fits)) {
    if (const Result grown = grow(needed); grown != kSuccess) return grown;
    take(slabs_.back(), needed, address);
  }
  used_ += needed;
  return kSuccess;
}

bool Arena::take(Slab& slab, std::uint64_t bytes, DevicePointer& address) {
  const auto gap = std::find_if(slab.gaps.begin(), slab.gaps.end(),
                                [&](const auto& each) { return each.second >= bytes; });
  if (gap == slab.gaps.end()) return false;
  const auto [start, length] = *gap;
  slab.gaps.erase(gap);
  if (length > bytes) slab.gaps.emplace(start + bytes, length - bytes);
  address = slab.base + start;
  return true;
}

// Slabs become larger with what is held. What is large gets one of its own; so does all where the device has
// no more.
Result Arena::grow(std::uint64_t bytes) {
  const std::uint64_t left = budget_ - held_;
  if (bytes > left) return kOutOfMemory;
  const std::uint64_t exact = std::min(round_up(bytes, kSlabStep), std::max(bytes, left));
  const std::uint64_t usual =
      std::min(std::clamp(held_, kLeastSlab, kMostSlab), left / kAlignment * kAlignment);
  if (bytes > usual / 2) return grow_by(exact);
  const Result grown = grow_by(usual);
  return grown == kOutOfMemory ? grow_by(exact) : grown;
}

Result Arena::grow_by(std::uint64_t bytes) {
  if (const Result entered = context_.enter(); entered != kSuccess) return entered;
  slabs_.reserve(slabs_.size() + 1);
  DevicePointer base = 0;
  const Result allocated = driver_.call(&Api::allocate, &base, std::size_t{bytes});
  if (allocated != kSuccess) return allocated;
  slabs_.push_back({base, bytes, {{0, bytes}}});
  held_ += bytes;
  return kSuccess;
}

void Arena::free(DevicePointer address, std::uint64_t bytes) noexcept {
  const std::lock_guard lock(mutex_);
  const auto slab = std::find_if(slabs_.begin(), slabs_.end(), [&](const Slab& each) {
    return address >= each.base && address - each.base < each.bytes;
  });
  if (slab == slabs_.end()) return;
  used_ -= whole(bytes);
  try {
    give_back(*slab, address - slab->base, whole(bytes));
  } catch (const std::bad_alloc&) {
    return;  // no host memory to note the gap: these bytes are lost until the slab goes
  }
  if (!slab->unused() || slabs_.size() == 1 || context_.enter() != kSuccess)
    return;  // one is kept for the next
  if (driver_.call(&Api::free, slab->base) != kSuccess) return;
  held_ -= slab->bytes;
  slabs_.erase(slab);
}

// Notes a gap, joined with its neighbours.
void Arena::give_back(Slab& slab, std::uint64_t start, std::uint64_t bytes) {
  const auto gap = slab.gaps.emplace(start, bytes).first;
  if (const auto next = std::next(gap); next != slab.gaps.end() && start + bytes == next->first) {
    gap->second += next->second;
    slab.gaps.erase(next);
  }
  if (gap == slab.gaps.begin()) return;
  if (const auto before = std::prev(gap); before->first + before->second == start) {
    before->second += gap->second;
    slab.gaps.erase(gap);
  }
}

std::uint64_t Arena::used() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

DeviceMemory::DeviceMemory(Arena& arena, std::uint64_t bytes, const char* what)
    : arena_(&arena), bytes_(bytes) {
  const Result allocated = arena.allocate(bytes, address_);
  if (allocated == kSuccess) return;
  arena_ = nullptr;
  throw sdk::Error(
      status_of(allocated), "%s: %llu bytes of device memory: CUDA error %d, %s (%llu of %llu are in use)",
      what, static_cast<unsigned long long>(bytes), allocated, name_of(allocated),
      static_cast<unsigned long long>(arena.used()), static_cast<unsigned long long>(arena.budget()))
      .with_native(allocated);
}

DeviceMemory::DeviceMemory(DeviceMemory&& other) noexcept
    : arena_(std::exchange(other.arena_, nullptr)),
      address_(other.address_),
      bytes_(std::exchange(other.bytes_, 0)) {}

DeviceMemory& DeviceMemory::operator=(DeviceMemory&& other) noexcept {
  if (this != &other) {
    reset();
    arena_ = std::exchange(other.arena_, nullptr);
    address_ = other.address_;
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

void DeviceMemory::reset() noexcept {
  if (arena_ != nullptr) arena_->free(address_, bytes_);
  arena_ = nullptr;
  bytes_ = 0;
}

}  // namespace belay::cuda
