#include "tests/kernels/guarded_buffer.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace belay::kernel_tests {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kMargin = 256;  // canary bytes that are at least there on a checked side
constexpr std::uint8_t kCanary = 0xEB;

}  // namespace

GuardedBuffer::GuardedBuffer(std::size_t size, Placement placement) : size_(size) {
  mapping_bytes_ = (size + 2 * kMargin + kPage - 1) / kPage * kPage;
  void* mapped =
      mmap(nullptr, mapping_bytes_ + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  mapping_ = static_cast<std::uint8_t*>(mapped);
  mprotect(mapping_ + mapping_bytes_, kPage, PROT_NONE);
  std::memset(mapping_, kCanary, mapping_bytes_);
  data_ = placement == Placement::kAligned ? mapping_ + kMargin : mapping_ + mapping_bytes_ - size;
}

GuardedBuffer::GuardedBuffer(std::span<const std::uint8_t> contents, Placement placement)
    : GuardedBuffer(contents.size(), placement) {
  std::copy(contents.begin(), contents.end(), data_);
}

GuardedBuffer::GuardedBuffer(GuardedBuffer&& other) noexcept
    : mapping_(std::exchange(other.mapping_, nullptr)),
      mapping_bytes_(other.mapping_bytes_),
      data_(other.data_),
      size_(other.size_) {}

GuardedBuffer::~GuardedBuffer() {
  if (mapping_ != nullptr) munmap(mapping_, mapping_bytes_ + kPage);
}

bool GuardedBuffer::intact() const {
  const auto is_canary = [](std::uint8_t byte) { return byte == kCanary; };
  return std::all_of(mapping_, data_, is_canary) &&
         std::all_of(data_ + size_, mapping_ + mapping_bytes_, is_canary);
}

}  // namespace belay::kernel_tests
