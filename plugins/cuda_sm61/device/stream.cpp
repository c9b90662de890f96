#include "plugins/cuda_sm61/device/stream.hpp"

#include <algorithm>

namespace belay::cuda {

StreamSet::~StreamSet() {
  if (context_.enter() != kSuccess) return;
  for (const auto& stream : streams_) (void)driver_.call(&Api::destroy_stream, stream->handle());
}

Stream* StreamSet::create() {
  constexpr std::size_t kBytes = Stream::kCounters * sizeof(unsigned);
  constexpr unsigned char kZero = 0;
  require(context_.enter(), "making a stream");
  DeviceMemory counters(arena_, kBytes, "making a stream");
  StreamHandle handle = nullptr;
  require(driver_.call(&Api::create_stream, &handle, kStreamNonBlocking), "making a stream");
  auto stream = std::make_unique<Stream>(*this, handle, std::move(counters));
  const Result filled = driver_.call(&Api::fill, stream->counters(), kZero, kBytes, handle);
  if (filled != kSuccess) (void)driver_.call(&Api::destroy_stream, handle);
  require(filled, "making a stream");
  const std::lock_guard lock(mutex_);
  streams_.push_back(std::move(stream));
  return streams_.back().get();
}

void StreamSet::destroy(Stream* stream) {
  const std::lock_guard lock(mutex_);
  const auto found =
      std::find_if(streams_.begin(), streams_.end(), [&](const auto& each) { return each.get() == stream; });
  if (found == streams_.end()) return;
  if (context_.enter() == kSuccess) (void)driver_.call(&Api::destroy_stream, stream->handle());
  streams_.erase(found);
}

Result StreamSet::query() {
  if (const Result entered = context_.enter(); entered != kSuccess) return entered;
  const std::lock_guard lock(mutex_);
  for (const auto& stream : streams_) {
    const Result result = driver_.call(&Api::query_stream, stream->handle());
    if (result != kSuccess) return result;
  }
  return kSuccess;
}

Event::Event(const Context& context, const Driver& driver) : context_(context), driver_(driver) {
  require(context.enter(), "making an event");
  require(driver.call(&Api::create_event, &handle_, kEventWithoutTiming), "making an event");
}

Event::~Event() {
  if (context_.enter() == kSuccess) (void)driver_.call(&Api::destroy_event, handle_);
}

Result Event::record(const Stream& stream) {
  if (const Result entered = context_.enter(); entered != kSuccess) return entered;
  return driver_.call(&Api::record_event, handle_, stream.handle());
}

Result Event::wait_in(const Stream& stream) {
  if (const Result entered = context_.enter(); entered != kSuccess) return entered;
  return driver_.call(&Api::wait_in_stream, stream.handle(), handle_, 0U);
}

Result Event::query() {
  if (const Result entered = context_.enter(); entered != kSuccess) return entered;
  return driver_.call(&Api::query_event, handle_);
}

Result Event::finish() {
  if (const Result entered = context_.enter(); entered != kSuccess) return entered;
  return driver_.call(&Api::finish_event, handle_);
}

}  // namespace belay::cuda
