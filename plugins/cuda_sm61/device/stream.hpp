// Streams and events of belay.memory/1 over the driver's. Each belongs to its device; what is queued on one
// stream runs in order. A set is used by one thread at a time for making and ending streams, by any thread
// for the rest.
#pragma once

#include "plugins/cuda_sm61/device/arena.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace belay::cuda {

class StreamSet;

class Stream {
 public:
  Stream(StreamSet& owner, StreamHandle handle, DeviceMemory counters)
      : owner_(owner), handle_(handle), counters_(std::move(counters)) {}
  [[nodiscard]] StreamHandle handle() const { return handle_; }
  // kCounters unsigned numbers on the device for kernels that count their blocks: all 0 whenever no kernel of
  // the stream runs.
  [[nodiscard]] DevicePointer counters() const { return counters_.address(); }

  static constexpr std::size_t kCounters = 16384;

  [[nodiscard]] StreamSet& owner() const { return owner_; }

 private:
  StreamSet& owner_;
  StreamHandle handle_;
  DeviceMemory counters_;
};

class StreamSet {
 public:
  StreamSet(const Context& context, const Driver& driver, Arena& arena)
      : context_(context), driver_(driver), arena_(arena) {}
  ~StreamSet();
  StreamSet(const StreamSet&) = delete;
  StreamSet& operator=(const StreamSet&) = delete;

  // Owned by the set until destroy(). Throws sdk::Error.
  [[nodiscard]] Stream* create();
  void destroy(Stream* stream);

  // Whether nothing is in flight on any stream: kSuccess, kNotReady, or what went wrong.
  [[nodiscard]] Result query();

  [[nodiscard]] const Context& context() const { return context_; }
  [[nodiscard]] const Driver& driver() const { return driver_; }

 private:
  const Context& context_;
  const Driver& driver_;
  Arena& arena_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Stream>> streams_;
};

// Done when what was queued before it is. Never recorded, it counts as done.
class Event {
 public:
  // Throws sdk::Error.
  Event(const Context& context, const Driver& driver);
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  [[nodiscard]] Result record(const Stream& stream);
  // Lets the stream wait, not the caller.
  [[nodiscard]] Result wait_in(const Stream& stream);
  [[nodiscard]] Result query();  // kNotReady while it is not done
  [[nodiscard]] Result finish();

 private:
  const Context& context_;
  const Driver& driver_;
  EventHandle handle_ = nullptr;
};

}  // namespace belay::cuda
