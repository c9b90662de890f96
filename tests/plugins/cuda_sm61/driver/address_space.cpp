#include "tests/plugins/cuda_sm61/driver/address_space.hpp"

#include <sys/mman.h>

#include <cstring>
#include <iterator>
#include <new>

namespace belay::fake_cuda {
namespace {

std::uint64_t round_up(std::uint64_t number, std::uint64_t step) { return (number + step - 1) / step * step; }

void* pointer(std::uint64_t address) { return reinterpret_cast<void*>(address); }

}  // namespace

std::uint64_t AddressSpace::allocate(std::uint64_t bytes) {
  if (base_ == 0) {
    void* space = ::mmap(nullptr, kSpace, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED) throw std::bad_alloc();
    base_ = reinterpret_cast<std::uint64_t>(space);
  }
  const std::uint64_t size = round_up(bytes, kPage);
  // Large pages, as far as the system has them: opening and closing many small ones takes its time.
  const std::uint64_t step = size >= kLargePage ? kLargePage : kPage;
  std::uint64_t at = round_up(base_ + kPage, step);  // behind the last gap that is too small
  for (const auto& [start, length] : allocations_) {
    if (start >= at + size + kPage) break;
    at = round_up(start + length + kPage, step);
  }
  if (at + size > base_ + kSpace) return 0;
  allocations_[at] = bytes;
  bytes_ += bytes;
  if (step == kLargePage) ::madvise(pointer(at), size, MADV_HUGEPAGE);
  ::mprotect(pointer(at), size, PROT_READ | PROT_WRITE);
  std::memset(pointer(at), 0xff, size);
  if (open_ == 0) ::mprotect(pointer(at), size, PROT_NONE);
  return at;
}

bool AddressSpace::free(std::uint64_t address) {
  const auto found = allocations_.find(address);
  if (found == allocations_.end()) return false;
  const std::uint64_t size = round_up(found->second, kPage);
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  if (::mmap(pointer(address), size, PROT_NONE, kFlags, -1, 0) == MAP_FAILED) throw std::bad_alloc();
  bytes_ -= found->second;
  allocations_.erase(found);
  return true;
}

void AddressSpace::clear() {
  while (!allocations_.empty()) (void)free(allocations_.begin()->first);
}

bool AddressSpace::contains(std::uint64_t address, std::uint64_t bytes) const {
  auto after = allocations_.upper_bound(address);
  if (after == allocations_.begin()) return false;
  const auto& [start, length] = *std::prev(after);
  return address - start <= length && bytes <= length - (address - start);
}

void AddressSpace::protect(int protection) {
  for (const auto& [start, length] : allocations_) ::mprotect(pointer(start), length, protection);
}

AddressSpace::Open::Open(AddressSpace& space) : space_(space) {
  if (space_.open_++ == 0) space_.protect(PROT_READ | PROT_WRITE);
}

AddressSpace::Open::~Open() {
  if (--space_.open_ == 0) space_.protect(PROT_NONE);
}

}  // namespace belay::fake_cuda
