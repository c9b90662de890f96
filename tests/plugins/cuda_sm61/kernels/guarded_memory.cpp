#include "tests/plugins/cuda_sm61/kernels/guarded_memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace belay::cuda_tests {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kMargin = 256;  // bytes before the data that must stay as they are
constexpr std::size_t kAlignment = 16;
constexpr std::uint8_t kCanary = 0xEB;

std::size_t rounded_up(std::size_t value, std::size_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

GuardedMemory::GuardedMemory(std::size_t bytes) : mapped_(rounded_up(bytes + kMargin, kPage)), size_(bytes) {
  void* mapping = mmap(nullptr, mapped_ + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) throw std::bad_alloc();
  mapping_ = static_cast<std::uint8_t*>(mapping);
  mprotect(mapping_ + mapped_, kPage, PROT_NONE);
  std::memset(mapping_, kCanary, mapped_);
  data_ = mapping_ + mapped_ - rounded_up(bytes, kAlignment);
  std::memset(data_, 0xff, bytes);
#if defined(__SANITIZE_ADDRESS__)
  ASAN_POISON_MEMORY_REGION(data_ + bytes, rounded_up(bytes, kAlignment) - bytes);
#endif
}

GuardedMemory::GuardedMemory(std::span<const std::uint8_t> bytes) : GuardedMemory(bytes.size()) {
  std::copy(bytes.begin(), bytes.end(), data_);
}

GuardedMemory::GuardedMemory(std::span<const float> values) : GuardedMemory(values.size_bytes()) {
  if (!values.empty()) std::memcpy(data_, values.data(), values.size_bytes());
}

GuardedMemory::~GuardedMemory() {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(mapping_, mapped_);
#endif
  munmap(mapping_, mapped_ + kPage);
}

std::vector<float> GuardedMemory::floats() const {
  std::vector<float> values(size_ / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), data_, size_);
  return values;
}

bool GuardedMemory::intact() const {
  const auto is_canary = [](std::uint8_t byte) { return byte == kCanary; };
#if defined(__SANITIZE_ADDRESS__)
  return std::all_of(mapping_, data_, is_canary);  // it watches the end itself
#else
  return std::all_of(mapping_, data_, is_canary) && std::all_of(data_ + size_, mapping_ + mapped_, is_canary);
#endif
}

}  // namespace belay::cuda_tests
