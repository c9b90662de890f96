// The buffers of belay.memory/1: device memory, pinned host memory, and the host's own memory made known to
// the driver. A handle is a number that is never used twice. Any thread; looking one up takes a shared lock.
#pragma once

#include "plugins/cuda_sm61/device/arena.hpp"

#include <belay/ext/memory.h>

#include <cstddef>
#include <cstdint>
#include <shared_mutex>
#include <unordered_map>

namespace belay::cuda {

// What alloc takes as the type of a buffer.
enum BufferType : std::uint32_t { kDeviceBuffer = 0, kPinnedBuffer = 1 };
inline constexpr std::uint32_t kBufferTypes = 2;

struct Buffer {
  BufferType type = kDeviceBuffer;
  std::uint64_t bytes = 0;
  DevicePointer device = 0;   // of a device buffer
  std::byte* host = nullptr;  // of another
};

class Buffers {
 public:
  Buffers(const Context& context, const Driver& driver, Arena& arena)
      : context_(context), driver_(driver), arena_(arena) {}
  ~Buffers();
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;

  // Throw sdk::Error when there is no memory. Handles are not 0.
  [[nodiscard]] std::uint64_t make(BufferType type, std::uint64_t bytes);
  [[nodiscard]] std::uint64_t import(void* memory, std::uint64_t bytes);
  // Unknown handles are ignored. The device must have finished with it.
  void free(std::uint64_t handle) noexcept;

  // False when there is no such buffer.
  [[nodiscard]] bool find(std::uint64_t handle, Buffer& buffer) const;

 private:
  enum class Owner { kArena, kDriver, kImported, kImportedUnregistered };
  struct Entry {
    Buffer buffer;
    Owner owner = Owner::kArena;
    DeviceMemory memory;
  };
  [[nodiscard]] std::uint64_t keep(Entry entry);
  void end(const Entry& entry) noexcept;

  const Context& context_;
  const Driver& driver_;
  Arena& arena_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::uint64_t, Entry> entries_;
  std::uint64_t next_ = 1;
};

}  // namespace belay::cuda
