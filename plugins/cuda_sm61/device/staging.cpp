#include "plugins/cuda_sm61/device/staging.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace belay::cuda {
namespace {

constexpr std::size_t kStep = 256;  // copies begin at multiples of it
constexpr std::size_t kPage = 4096;

}  // namespace

Staging::Staging(const Context& context, const Driver& driver, StreamHandle stream)
    : context_(context), driver_(driver), stream_(stream) {
  try {
    for (Buffer& buffer : buffers_) make(buffer);
  } catch (...) {
    for (Buffer& buffer : buffers_) end(buffer);
    throw;
  }
}

Staging::~Staging() {
  (void)context_.enter();
  for (Buffer& buffer : buffers_) end(buffer);
}

void Staging::make(Buffer& buffer) {
  void* memory = nullptr;
  buffer.pinned = driver_.call(&Api::allocate_host, &memory, kBytes, kHostPortable) == kSuccess;
  if (!buffer.pinned) memory = std::aligned_alloc(kPage, kBytes);
  if (memory == nullptr) throw std::bad_alloc();
  buffer.memory = static_cast<std::byte*>(memory);
  require(driver_.call(&Api::create_event, &buffer.event, kEventWithoutTiming), "making an event");
}

void Staging::end(Buffer& buffer) {
  if (buffer.event != nullptr) (void)driver_.call(&Api::destroy_event, buffer.event);
  if (buffer.pinned) {
    (void)driver_.call(&Api::free_host, static_cast<void*>(buffer.memory));
  } else {
    std::free(buffer.memory);
  }
  buffer = {};
}

Result Staging::upload(DevicePointer to, const void* from, std::uint64_t bytes) {
  const auto* source = static_cast<const std::byte*>(from);
  while (bytes > 0) {
    std::byte* piece = nullptr;
    std::size_t size = 0;
    if (const Result got = next_piece(bytes, &piece, &size); got != kSuccess) return got;
    std::memcpy(piece, source, size);
    const void* staged = piece;
    const Result queued = driver_.call(&Api::copy_to_device, to, staged, size, stream_);
    if (queued != kSuccess) return queued;
    to += size;
    source += size;
    bytes -= size;
  }
  return kSuccess;
}

Result Staging::download(void* to, DevicePointer from, std::uint64_t bytes) {
  auto* target = static_cast<std::byte*>(to);
  while (bytes > 0) {
    std::byte* piece = nullptr;
    std::size_t size = 0;
    if (const Result got = next_piece(bytes, &piece, &size); got != kSuccess) return got;
    const Result queued = driver_.call(&Api::copy_to_host, static_cast<void*>(piece), from, size, stream_);
    if (queued != kSuccess) return queued;
    Buffer& buffer = buffers_[current_];
    buffer.delivery[buffer.deliveries++] = {target, piece, size};
    from += size;
    target += size;
    bytes -= size;
  }
  return kSuccess;
}

Result Staging::finish() {
  const Result finished = driver_.call(&Api::finish_stream, stream_);
  if (finished != kSuccess) return finished;
  for (Buffer& buffer : buffers_) deliver(buffer);
  return kSuccess;
}

void Staging::abandon() {
  (void)driver_.call(&Api::finish_stream, stream_);
  for (Buffer& buffer : buffers_) clear(buffer);
}

// At most `wanted` bytes of the current buffer, or of the next when it is full.
Result Staging::next_piece(std::uint64_t wanted, std::byte** piece, std::size_t* bytes) {
  const Buffer* buffer = &buffers_[current_];
  if (buffer->used >= kBytes || buffer->deliveries == buffer->delivery.size()) {
    if (const Result rotated = rotate(); rotated != kSuccess) return rotated;
  }
  Buffer& room = buffers_[current_];
  *piece = room.memory + room.used;
  *bytes = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, kBytes - room.used));
  room.used += (*bytes + kStep - 1) / kStep * kStep;
  return kSuccess;
}

// On to the next buffer, once what was queued from it is done.
Result Staging::rotate() {
  const Result recorded = driver_.call(&Api::record_event, buffers_[current_].event, stream_);
  if (recorded != kSuccess) return recorded;
  buffers_[current_].in_flight = true;
  current_ = (current_ + 1) % kBuffers;
  Buffer& next = buffers_[current_];
  if (next.in_flight) {
    const Result done = driver_.call(&Api::finish_event, next.event);
    if (done != kSuccess) return done;
  }
  deliver(next);
  return kSuccess;
}

void Staging::deliver(Buffer& buffer) {
  for (std::size_t i = 0; i < buffer.deliveries; ++i) {
    const Delivery& delivery = buffer.delivery[i];
    std::memcpy(delivery.to, delivery.from, delivery.bytes);
  }
  clear(buffer);
}

void Staging::clear(Buffer& buffer) {
  buffer.in_flight = false;
  buffer.used = 0;
  buffer.deliveries = 0;
}

}  // namespace belay::cuda
