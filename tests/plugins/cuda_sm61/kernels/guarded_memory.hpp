// Memory as a device gives it, aligned to 16 bytes, that faults when a kernel reaches 16 bytes beyond its
// end, which AddressSanitizer narrows to a byte. Owned by one test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace belay::cuda_tests {

class GuardedMemory {
 public:
  // Filled with 0xff: NaN until it is written.
  explicit GuardedMemory(std::size_t bytes);
  explicit GuardedMemory(std::span<const std::uint8_t> bytes);
  explicit GuardedMemory(std::span<const float> values);
  ~GuardedMemory();
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  template <class T>
  [[nodiscard]] T* as() const {
    return reinterpret_cast<T*>(data_);
  }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {data_, size_}; }
  [[nodiscard]] std::vector<float> floats() const;
  // Whether the bytes around are as they were.
  [[nodiscard]] bool intact() const;

 private:
  std::uint8_t* mapping_;
  std::size_t mapped_;
  std::uint8_t* data_;
  std::size_t size_;
};

}  // namespace belay::cuda_tests
