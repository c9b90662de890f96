// The device's memory: addresses that are closed to everybody but while an Open lives. Each allocation lies
// apart from the next by a closed page and begins as NaN.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace belay::fake_cuda {

class AddressSpace {
 public:
  AddressSpace() = default;
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

  // 0 when the space is used up.
  [[nodiscard]] std::uint64_t allocate(std::uint64_t bytes);
  [[nodiscard]] bool free(std::uint64_t address);  // false: no allocation begins there
  void clear();

  // Whether all these bytes lie in one allocation.
  [[nodiscard]] bool contains(std::uint64_t address, std::uint64_t bytes) const;
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t allocations() const { return allocations_.size(); }

  class Open {
   public:
    explicit Open(AddressSpace& space);
    ~Open();
    Open(const Open&) = delete;
    Open& operator=(const Open&) = delete;

   private:
    AddressSpace& space_;
  };

 private:
  static constexpr std::uint64_t kSpace = std::uint64_t{64} << 30U;
  static constexpr std::uint64_t kPage = 4096;
  static constexpr std::uint64_t kLargePage = std::uint64_t{2} << 20U;

  void protect(int protection);

  std::uint64_t base_ = 0;
  std::map<std::uint64_t, std::uint64_t> allocations_;  // address to bytes
  std::uint64_t bytes_ = 0;
  int open_ = 0;
};

}  // namespace belay::fake_cuda
