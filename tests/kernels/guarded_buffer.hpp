// Memory that notices when somebody writes beside it. Owned by one test; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace belay::kernel_tests {

enum class Placement {
  kAligned,    // starts at a multiple of 64, with canary bytes on both sides
  kAtPageEnd,  // ends where an unreadable page begins: reading past the end faults at once; element-aligned
               // only
};

class GuardedBuffer {
 public:
  GuardedBuffer(std::span<const std::uint8_t> contents, Placement placement);
  // `size` bytes of canary pattern.
  GuardedBuffer(std::size_t size, Placement placement);
  ~GuardedBuffer();
  GuardedBuffer(GuardedBuffer&& other) noexcept;
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(GuardedBuffer&&) = delete;

  [[nodiscard]] std::uint8_t* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {data_, size_}; }
  // Whether the bytes around are as they were.
  [[nodiscard]] bool intact() const;

 private:
  std::uint8_t* mapping_ = nullptr;
  std::size_t mapping_bytes_ = 0;  // writable part; one unreadable page follows
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace belay::kernel_tests
