// Streams that do nothing until somebody waits for them, events, and pinned memory: what may be late, is.
#pragma once

#include "plugins/cuda_sm61/driver/api.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>

namespace belay::fake_cuda {

using Work = std::function<void()>;

class Queues {
 public:
  [[nodiscard]] cuda::StreamHandle make_stream();
  [[nodiscard]] cuda::EventHandle make_event();
  [[nodiscard]] bool knows(cuda::StreamHandle stream) const;
  [[nodiscard]] bool knows(cuda::EventHandle event) const;
  bool end(cuda::StreamHandle stream);
  bool end(cuda::EventHandle event);

  void queue(cuda::StreamHandle stream, Work work);
  void record(cuda::EventHandle event, cuda::StreamHandle stream);
  void wait(cuda::StreamHandle stream, cuda::EventHandle event);

  // Does what is queued: all of a stream, up to an event, all there is.
  void finish(cuda::StreamHandle stream);
  void finish(cuda::EventHandle event);
  void finish_all();
  [[nodiscard]] bool is_done(cuda::StreamHandle stream) const;
  [[nodiscard]] bool is_done(cuda::EventHandle event) const;
  // Whether an unfinished one was asked before: the first time it is never done.
  [[nodiscard]] bool asked_again(const void* handle);

  // Host memory whose copies are done late.
  void pin(void* memory, std::uint64_t bytes) { pinned_[reinterpret_cast<std::uint64_t>(memory)] = bytes; }
  [[nodiscard]] bool unpin(void* memory) {
    return pinned_.erase(reinterpret_cast<std::uint64_t>(memory)) == 1;
  }
  [[nodiscard]] bool is_pinned(const void* memory, std::uint64_t bytes) const;

  void forget_work();  // what a broken device will never do
  void forget();
  [[nodiscard]] std::uint64_t pinned_count() const { return pinned_.size(); }
  [[nodiscard]] std::uint64_t object_count() const { return streams_.size() + events_.size(); }

 private:
  struct Stream {
    std::deque<Work> work;
    std::uint64_t queued = 0;
    std::uint64_t done = 0;
  };
  // The state of a stream when an event was recorded.
  struct Mark {
    std::uint64_t stream = 0;  // 0: never recorded
    std::uint64_t queued = 0;
  };
  void run_to(std::uint64_t stream, std::uint64_t mark);
  [[nodiscard]] bool reached(const Mark& mark) const;

  std::uint64_t next_ = 1;
  std::map<std::uint64_t, Stream> streams_;
  std::map<std::uint64_t, Mark> events_;
  std::map<std::uint64_t, std::uint64_t> pinned_;
  const void* asked_ = nullptr;
};

}  // namespace belay::fake_cuda
