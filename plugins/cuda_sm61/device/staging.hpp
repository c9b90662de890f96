// The way of bytes between plain host memory and the device: through a few pinned buffers in turn, so that
// one is copied while another is filled or emptied. Where nothing can be pinned the buffers are plain memory,
// which is slower. Used by one thread at a time; allocates nothing after it was made.
#pragma once

#include "plugins/cuda_sm61/device/context.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace belay::cuda {

class Staging {
 public:
  // All copies go through `stream`. Throws sdk::Error when there is no memory at all.
  Staging(const Context& context, const Driver& driver, StreamHandle stream);
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  // Queues a copy to the device. `from` is free again when this returns.
  [[nodiscard]] Result upload(DevicePointer to, const void* from, std::uint64_t bytes);
  // Queues a copy from the device; some or all of it is at `to` only when finish() succeeded.
  [[nodiscard]] Result download(void* to, DevicePointer from, std::uint64_t bytes);
  // Waits for the stream, and delivers what was downloaded.
  [[nodiscard]] Result finish();
  // After a failure: waits for what is still queued, and delivers nothing more.
  void abandon();

  [[nodiscard]] bool pinned() const { return buffers_[0].pinned; }

  static constexpr std::size_t kBuffers = 3;
  static constexpr std::size_t kBytes = std::size_t{8} << 20U;

 private:
  struct Delivery {
    void* to;
    const std::byte* from;
    std::size_t bytes;
  };
  struct Buffer {
    std::byte* memory = nullptr;
    bool pinned = false;
    EventHandle event = nullptr;
    bool in_flight = false;
    std::size_t used = 0;
    std::size_t deliveries = 0;
    std::array<Delivery, 256> delivery{};
  };

  void make(Buffer& buffer);
  void end(Buffer& buffer);
  Result next_piece(std::uint64_t wanted, std::byte** piece, std::size_t* bytes);
  Result rotate();
  static void deliver(Buffer& buffer);
  static void clear(Buffer& buffer);

  const Context& context_;
  const Driver& driver_;
  StreamHandle stream_;
  std::array<Buffer, kBuffers> buffers_{};
  std::size_t current_ = 0;
};

}  // namespace belay::cuda
