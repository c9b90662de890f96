#include "tests/plugins/cuda_sm61/driver/queues.hpp"

#include <iterator>
#include <utility>

namespace belay::fake_cuda {
namespace {

template <class Handle>
std::uint64_t number(Handle handle) {
  return reinterpret_cast<std::uint64_t>(handle);
}

}  // namespace

cuda::StreamHandle Queues::make_stream() {
  streams_.emplace(next_, Stream{});
  return reinterpret_cast<cuda::StreamHandle>(next_++);
}

cuda::EventHandle Queues::make_event() {
  events_.emplace(next_, Mark{});
  return reinterpret_cast<cuda::EventHandle>(next_++);
}

bool Queues::knows(cuda::StreamHandle stream) const { return streams_.contains(number(stream)); }
bool Queues::knows(cuda::EventHandle event) const { return events_.contains(number(event)); }

bool Queues::end(cuda::StreamHandle stream) {
  finish(stream);
  return streams_.erase(number(stream)) == 1;
}

bool Queues::end(cuda::EventHandle event) { return events_.erase(number(event)) == 1; }

void Queues::queue(cuda::StreamHandle stream, Work work) {
  Stream& to = streams_.at(number(stream));
  to.work.push_back(std::move(work));
  ++to.queued;
}

void Queues::record(cuda::EventHandle event, cuda::StreamHandle stream) {
  events_.at(number(event)) = {number(stream), streams_.at(number(stream)).queued};
}

void Queues::wait(cuda::StreamHandle stream, cuda::EventHandle event) {
  const Mark mark = events_.at(number(event));
  queue(stream, [this, mark] { run_to(mark.stream, mark.queued); });
}

void Queues::run_to(std::uint64_t stream, std::uint64_t mark) {
  for (;;) {
    const auto found = streams_.find(stream);
    if (found == streams_.end() || found->second.done >= mark || found->second.work.empty()) return;
    const Work work = std::move(found->second.work.front());
    found->second.work.pop_front();
    ++found->second.done;
    work();
  }
}

void Queues::finish(cuda::StreamHandle stream) {
  const auto found = streams_.find(number(stream));
  if (found != streams_.end()) run_to(found->first, found->second.queued);
}

void Queues::finish(cuda::EventHandle event) {
  const Mark mark = events_.at(number(event));
  run_to(mark.stream, mark.queued);
}

void Queues::finish_all() {
  for (const auto& [stream, state] : streams_) run_to(stream, state.queued);
}

bool Queues::reached(const Mark& mark) const {
  const auto found = streams_.find(mark.stream);
  return found == streams_.end() || found->second.done >= mark.queued;
}

bool Queues::is_done(cuda::StreamHandle stream) const {
  const Stream& state = streams_.at(number(stream));
  return state.done >= state.queued;
}

bool Queues::is_done(cuda::EventHandle event) const { return reached(events_.at(number(event))); }

bool Queues::asked_again(const void* handle) {
  const bool again = asked_ == handle;
  asked_ = again ? nullptr : handle;
  return again;
}

bool Queues::is_pinned(const void* memory, std::uint64_t bytes) const {
  const std::uint64_t address = number(memory);
  const auto after = pinned_.upper_bound(address);
  if (after == pinned_.begin()) return false;
  const auto& [start, length] = *std::prev(after);
  return address - start <= length && bytes <= length - (address - start);
}

void Queues::forget_work() {
  for (auto& [number, stream] : streams_) {
    stream.work.clear();
    stream.done = stream.queued;
  }
}

void Queues::forget() {
  streams_.clear();
  events_.clear();
  pinned_.clear();
  asked_ = nullptr;
}

}  // namespace belay::fake_cuda
