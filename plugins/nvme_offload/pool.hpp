// Threads that read and otherwise sleep in the kernel: what does for a ring where there is none. They start
// with the first request and end with the pool. Where no thread can be started, wait() itself reads.
#pragma once

#include "plugins/nvme_offload/system.hpp"

#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace belay::nvme {

// First in, first out, without allocating: a transport never holds more than kMostInFlight.
template <class T>
class BoundedQueue {
 public:
  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::uint32_t room() const { return kMostInFlight - size_; }
  // Only when there is room, and only when it is not empty.
  void push(const T& item) { items_[(first_ + size_++) % kMostInFlight] = item; }
  T pop() {
    const T item = items_[first_];
    first_ = (first_ + 1) % kMostInFlight;
    --size_;
    return item;
  }

 private:
  std::array<T, kMostInFlight> items_{};
  std::uint32_t first_ = 0;
  std::uint32_t size_ = 0;
};

class Pool final : public Transport {
 public:
  static constexpr std::size_t kThreads = 8;  // what an NVMe drive wants in flight, in pieces of 1 MiB

  explicit Pool(System& system) : system_(system) {}
  ~Pool() override;

  int submit(std::span<const Request> requests) override;
  int wait(std::uint64_t timeout_ns, Completion& completion) override;
  void cancel(const void* owner) override;

 private:
  void start();
  void serve();
  Completion carry_out(const Request& request);

  System& system_;
  std::array<std::thread, kThreads> threads_;
  bool started_ = false;
  bool has_threads_ = false;

  std::mutex mutex_;  // of all below
  std::condition_variable request_came_;
  std::condition_variable request_done_;
  BoundedQueue<Request> requests_;
  BoundedQueue<Completion> completions_;
  std::uint32_t at_work_ = 0;  // requests that are in neither queue
  bool ending_ = false;
};

}  // namespace belay::nvme
