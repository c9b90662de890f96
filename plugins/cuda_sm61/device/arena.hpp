// Device memory for everything that lives longer than a run: weights, caches, scratch. A few large pieces of
// the driver's, cut as needed, up to a budget that was measured when the device was opened: what was free
// then, less a reserve for the display, the driver and fragmentation. Any thread.
#pragma once

#include "plugins/cuda_sm61/device/context.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

namespace belay::cuda {

// What of `free_bytes` may be used on a device: all but 8 %, and at least 128 MiB of it are left.
[[nodiscard]] std::uint64_t usable_memory(std::uint64_t free_bytes);

class Arena {
 public:
  Arena(const Context& context, const Driver& driver, std::uint64_t budget);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // At least `bytes` bytes at a multiple of kAlignment; a size of 0 gets memory, too. kOutOfMemory when the
  // budget or the device is exhausted.
  [[nodiscard]] Result allocate(std::uint64_t bytes, DevicePointer& address);
  // What allocate() gave, with its size. The device must have finished with it.
  void free(DevicePointer address, std::uint64_t bytes) noexcept;

  [[nodiscard]] std::uint64_t budget() const { return budget_; }
  [[nodiscard]] std::uint64_t used() const;

  static constexpr std::uint64_t kAlignment = 256;

 private:
  // One piece of the driver's. `gaps` maps where a free range begins to its length.
  struct Slab {
    DevicePointer base;
    std::uint64_t bytes;
    std::map<std::uint64_t, std::uint64_t> gaps;
    [[nodiscard]] bool unused() const { return gaps.size() == 1 && gaps.begin()->second == bytes; }
  };
  static bool take(Slab& slab, std::uint64_t bytes, DevicePointer& address);
  void give_back(Slab& slab, std::uint64_t start, std::uint64_t bytes);
  Result grow(std::uint64_t bytes);
  Result grow_by(std::uint64_t bytes);

  const Context& context_;
  const Driver& driver_;
  std::uint64_t budget_;
  mutable std::mutex mutex_;
  std::vector<Slab> slabs_;
  std::uint64_t held_ = 0;  // of the driver's
  std::uint64_t used_ = 0;
};

// A part of an arena; empty, or its owner.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  // Throws sdk::Error with OOM_DEVICE.
  DeviceMemory(Arena& arena, std::uint64_t bytes, const char* what);
  // What the arena gave.
  DeviceMemory(Arena& arena, DevicePointer address, std::uint64_t bytes)
      : arena_(&arena), address_(address), bytes_(bytes) {}
  ~DeviceMemory() { reset(); }
  DeviceMemory(DeviceMemory&& other) noexcept;
  DeviceMemory& operator=(DeviceMemory&& other) noexcept;
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  [[nodiscard]] DevicePointer address() const { return address_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  void reset() noexcept;

 private:
  Arena* arena_ = nullptr;
  DevicePointer address_ = 0;
  std::uint64_t bytes_ = 0;  // 0 when there is none
};

}  // namespace belay::cuda
