// One opened device: its context, kernels, memory and streams. Owned by an instance; what it hands out may be
// used from any thread unless its own header says otherwise. Device pointers are plain numbers here.
#pragma once

#include "plugins/cuda_sm61/device/arena.hpp"
#include "plugins/cuda_sm61/device/buffers.hpp"
#include "plugins/cuda_sm61/device/kernels.hpp"
#include "plugins/cuda_sm61/device/staging.hpp"
#include "plugins/cuda_sm61/device/stream.hpp"

#include <cstdint>
#include <mutex>

namespace belay::cuda {

// Of the whole device, in bytes, with what other processes use.
struct MemoryState {
  std::size_t free = 0;
  std::size_t total = 0;
};

class Device {
 public:
  // Throws sdk::Error with the reason why the device cannot be used.
  explicit Device(int ordinal, const char* library = Driver::kLibrary);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  [[nodiscard]] const Driver& driver() const { return driver_; }
  [[nodiscard]] const DeviceFacts& facts() const { return facts_; }
  [[nodiscard]] const Context& context() const { return context_; }
  [[nodiscard]] const LoadedKernels& kernels() const { return kernels_; }
  [[nodiscard]] Arena& arena() { return arena_; }
  [[nodiscard]] Buffers& buffers() { return buffers_; }
  [[nodiscard]] const Buffers& buffers() const { return buffers_; }
  [[nodiscard]] StreamSet& streams() { return streams_; }
  [[nodiscard]] ImageKind image() const { return image_; }

  // Measured now. Throws sdk::Error.
  [[nodiscard]] MemoryState memory() const;

  // What runs and uploads that start from host memory share; held for as long as one of them lasts.
  struct HostWork {
    std::unique_lock<std::mutex> lock;
    Staging& staging;
    const Stream& stream;
  };
  [[nodiscard]] HostWork host_work() { return {std::unique_lock(host_mutex_), staging_, *own_stream_}; }

  // Device memory of at least `bytes` bytes for a run from host memory, kept for the next one: it grows to
  // the largest run and is then never asked for again. The caller holds HostWork, and no run uses it any
  // more.
  [[nodiscard]] Result scratch(std::uint64_t bytes, DevicePointer& address);

  // Memory with these bytes in it. Throws sdk::Error: OOM_DEVICE, DEVICE_LOST, ...
  [[nodiscard]] DeviceMemory copy_of(const void* bytes, std::uint64_t size, const char* what);

 private:
  Driver driver_;
  DeviceFacts facts_;
  ImageKind image_;
  Context context_;
  LoadedKernels kernels_;
  Arena arena_;
  Buffers buffers_;
  StreamSet streams_;
  Stream* own_stream_;
  Staging staging_;
  std::mutex host_mutex_;
  DeviceMemory scratch_;
};

}  // namespace belay::cuda
