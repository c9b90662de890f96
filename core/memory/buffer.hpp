// A block of host memory, 64-byte aligned, zero until written, owned by one object. Large blocks come from
// the system page by page, so memory that is never touched is never used. Movable; no thread rule beyond that
// of its bytes.
#pragma once

#include "core/base/status.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace belay::memory {

inline constexpr std::size_t kAlignment = 64;

// Large pages, where the system has them, are faster to walk through, but what is touched counts in steps of
// their size: for memory that will be filled from end to end.
enum class Pages { kSmall, kLarge };

class Buffer {
 public:
  // kOutOfMemory, naming `purpose` and the size, when there is none.
  [[nodiscard]] static Result<Buffer> allocate(std::uint64_t bytes, std::string_view purpose,
                                               Pages pages = Pages::kSmall);

  Buffer() = default;
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  [[nodiscard]] std::byte* data() { return data_; }
  [[nodiscard]] const std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  template <class T>
  [[nodiscard]] std::span<T> as() {
    return {reinterpret_cast<T*>(data_),
            size_ / sizeof(T)};  // aligned to 64, zero-filled: any T of plain data lives there
  }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace belay::memory
