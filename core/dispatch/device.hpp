// The memory of one plugin's device, through belay.memory/1: buffers, and copies that run in order on one
// stream. One thread at a time.
#pragma once

#include "core/base/status.hpp"
#include "core/dispatch/failure.hpp"

#include <belay/ext/memory.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace belay::dispatch {

class Device;

// Bytes on a device, given back when this object ends, before its device.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  DeviceBuffer(Device& device, std::uint64_t handle, std::uint64_t bytes)
      : device_(&device), handle_(handle), bytes_(bytes) {}
  DeviceBuffer(DeviceBuffer&& other) noexcept { swap(other); }
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    swap(other);
    return *this;
  }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  ~DeviceBuffer();

  // As belay.memory/1 names it; 0 for an empty one.
  [[nodiscard]] std::uint64_t handle() const { return handle_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  void swap(DeviceBuffer& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(handle_, other.handle_);
    std::swap(bytes_, other.bytes_);
  }

  Device* device_ = nullptr;
  std::uint64_t handle_ = 0;
  std::uint64_t bytes_ = 0;
};

class Device {
 public:
  // Some bytes of a buffer.
  struct Place {
    std::uint64_t buffer = 0;
    std::uint64_t offset = 0;
  };

  // `id` is the plugin's. The first buffer type of the kind BELAY_BUFFER_DEVICE, and a stream. kNoPlugin with
  // the reason when there is none, or when the table lacks a function.
  [[nodiscard]] static Result<std::unique_ptr<Device>> create(std::string id, const belay_memory_t& table,
                                                              belay_instance_t* instance);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device();

  // What can be allocated still, by the plugin's word.
  [[nodiscard]] std::uint64_t free_bytes() const;
  // kOutOfMemory, or kNoPlugin when that is not what is wrong, naming `purpose`.
  [[nodiscard]] Result<DeviceBuffer> allocate(std::uint64_t bytes, std::string_view purpose);
  void release(std::uint64_t handle) { table_.free(instance_, handle); }

  // Queued behind all that was queued before. The host's bytes stay as they are until wait(). What fails and
  // takes nothing with it is tried again, twice.
  [[nodiscard]] Trouble copy_in(Place to, std::span<const std::byte> from);
  [[nodiscard]] Trouble copy_out(std::span<std::byte> to, Place from);
  // Until everything queued is done. Its failure is that of some of the work: all that the device holds is
  // lost.
  [[nodiscard]] Trouble wait();
  // Whether bytes of the host may still be read by copies that were not waited for.
  [[nodiscard]] bool reads_host() const { return reads_host_; }

  [[nodiscard]] belay_stream_t* stream() const { return stream_; }

 private:
  Device(std::string id, const belay_memory_t& table, belay_instance_t* instance)
      : id_(std::move(id)), table_(table), instance_(instance) {}
  template <class Call>
  Trouble insist(const char* what, Call call);
  Status choose_type();
  Status make_stream();

  std::string id_;
  const belay_memory_t& table_;
  belay_instance_t* instance_;
  std::uint32_t type_ = 0;
  belay_stream_t* stream_ = nullptr;
  belay_event_t* event_ = nullptr;
  bool reads_host_ = false;
};

}  // namespace belay::dispatch
