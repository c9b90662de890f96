#include "plugins/nvme_offload/pool.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace belay::nvme {

Pool::~Pool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  request_came_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

int Pool::submit(std::span<const Request> requests) {
  if (!started_) start();
  std::size_t taken = 0;
  {
    const std::lock_guard lock(mutex_);
    const std::uint32_t held = requests_.size() + at_work_ + completions_.size();
    taken = std::min<std::size_t>(requests.size(), kMostInFlight - held);
    for (std::size_t i = 0; i < taken; ++i) requests_.push(requests[i]);
  }
  request_came_.notify_all();
  return taken > 0 ? static_cast<int>(taken) : -EBUSY;
}

int Pool::wait(std::uint64_t timeout_ns, Completion& completion) {
  std::unique_lock lock(mutex_);
  if (completions_.empty() && !has_threads_ && !requests_.empty()) {
    completion = carry_out(requests_.pop());
    return 1;
  }
  const auto came = [&] { return !completions_.empty(); };
  if (!request_done_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), came)) return 0;
  completion = completions_.pop();
  return 1;
}

void Pool::cancel(const void* owner) {
  const std::lock_guard lock(mutex_);
  for (std::uint32_t left = requests_.size(); left > 0; --left) {
    const Request request = requests_.pop();
    if (request.owner == owner) {
      completions_.push({request.tag, -ECANCELED});
    } else {
      requests_.push(request);
    }
  }
}

void Pool::start() {
  started_ = true;
  for (std::thread& thread : threads_) {
    const auto body = [](void* pool) { static_cast<Pool*>(pool)->serve(); };
    if (system_.start_thread(thread, body, this) == 0) has_threads_ = true;
  }
}

void Pool::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    request_came_.wait(lock, [&] { return ending_ || !requests_.empty(); });
    if (ending_) return;
    const Request request = requests_.pop();
    ++at_work_;
    lock.unlock();
    const Completion completion = carry_out(request);
    lock.lock();
    --at_work_;
    completions_.push(completion);
    request_done_.notify_one();
  }
}

Completion Pool::carry_out(const Request& request) {
  const std::int64_t got = system_.read(request.fd, request.to, request.bytes, request.offset);
  if (got > 0 && request.drop_behind) {
    system_.drop_cached(request.fd, request.offset, static_cast<std::uint64_t>(got));
  }
  return {request.tag, got};
}

}  // namespace belay::nvme
