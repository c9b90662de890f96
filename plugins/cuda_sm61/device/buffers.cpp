#include "plugins/cuda_sm61/device/buffers.hpp"

#include <belay/cpp/guard.hpp>

#include <mutex>
#include <utility>

namespace belay::cuda {

Buffers::~Buffers() {
  for (const auto& [handle, entry] : entries_) end(entry);
}

std::uint64_t Buffers::make(BufferType type, std::uint64_t bytes) {
  Entry entry;
  entry.buffer = {type, bytes, 0, nullptr};
  if (type == kDeviceBuffer) {
    entry.memory = DeviceMemory(arena_, bytes, "a buffer");
    entry.buffer.device = entry.memory.address();
    return keep(std::move(entry));
  }
  require(context_.enter(), "pinning memory");
  void* memory = nullptr;
  const std::size_t size = bytes > 0 ? bytes : 1;
  require(driver_.call(&Api::allocate_host, &memory, size, kHostPortable), "pinning memory");
  entry.owner = Owner::kDriver;
  entry.buffer.host = static_cast<std::byte*>(memory);
  return keep(std::move(entry));
}

// What cannot be pinned is copied as plain memory.
std::uint64_t Buffers::import(void* memory, std::uint64_t bytes) {
  require(context_.enter(), "pinning the host's memory");
  Entry entry;
  entry.buffer = {kPinnedBuffer, bytes, 0, static_cast<std::byte*>(memory)};
  const std::size_t size = bytes;
  const Result pinned = driver_.call(&Api::register_host, memory, size, kHostPortable);
  if (is_sticky(pinned)) require(pinned, "pinning the host's memory");
  entry.owner = pinned == kSuccess ? Owner::kImported : Owner::kImportedUnregistered;
  return keep(std::move(entry));
}

std::uint64_t Buffers::keep(Entry entry) {
  const std::unique_lock lock(mutex_);
  const std::uint64_t handle = next_++;
  entries_.emplace(handle, std::move(entry));
  return handle;
}

void Buffers::free(std::uint64_t handle) noexcept {
  const std::unique_lock lock(mutex_);
  const auto found = entries_.find(handle);
  if (found == entries_.end()) return;
  end(found->second);
  entries_.erase(found);
}

void Buffers::end(const Entry& entry) noexcept {
  if (entry.owner == Owner::kArena || context_.enter() != kSuccess) return;
  void* memory = entry.buffer.host;
  if (entry.owner == Owner::kDriver) (void)driver_.call(&Api::free_host, memory);
  if (entry.owner == Owner::kImported) (void)driver_.call(&Api::unregister_host, memory);
}

bool Buffers::find(std::uint64_t handle, Buffer& buffer) const {
  const std::shared_lock lock(mutex_);
  const auto found = entries_.find(handle);
  if (found == entries_.end()) return false;
  buffer = found->second.buffer;
  return true;
}

}  // namespace belay::cuda
