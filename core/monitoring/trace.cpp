#include "core/monitoring/trace.hpp"

#include "core/monitoring/trace_events.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace belay::monitoring {
namespace {

std::uint64_t clock_ns() noexcept {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

std::uint64_t next_number() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

// The events of one thread, written by it alone. A reader sees the first size() of them, which never change.
class Trace::Thread {
 public:
  explicit Thread(std::size_t limit) : owner_(std::this_thread::get_id()), limit_(limit) {
    events_.reserve(limit);
  }

  [[nodiscard]] std::thread::id owner() const { return owner_; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::span<const Event> events() const {
    return {events_.data(), size_.load(std::memory_order_acquire)};
  }

  void record(const Event& event) {
    const std::size_t size = size_.load(std::memory_order_relaxed);
    if (size == limit_) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    events_.push_back(event);  // reserved: never moves
    size_.store(size + 1, std::memory_order_release);
  }

  void open(const Event& event) {
    if (depth_ < open_.size()) open_[depth_] = event;
    ++depth_;
  }
  // The innermost open span, if there is one above the floor, lasts until `now`.
  void close(std::uint64_t now) {
    if (depth_ == floor_) return;
    --depth_;
    if (depth_ >= open_.size()) {  // opened too deep to be kept
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    open_[depth_].duration_ns = now - open_[depth_].start_ns;
    record(open_[depth_]);
  }

  // What is open now cannot be closed by close() until lower_floor(). Returns the floor before.
  std::size_t raise_floor() { return std::exchange(floor_, depth_); }
  // Closes everything above the floor and the one span below it, which was opened right before raise_floor().
  void lower_floor(std::size_t floor, std::uint64_t now) {
    while (depth_ > floor_) close(now);
    floor_ = floor;
    close(now);
  }

 private:
  static constexpr std::size_t kDeepest = 64;

  std::thread::id owner_;
  std::size_t limit_;
  std::vector<Event> events_;
  std::atomic<std::size_t> size_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::array<Event, kDeepest> open_ = {};
  std::size_t depth_ = 0;  // may exceed kDeepest
  std::size_t floor_ = 0;
};

Trace::Trace(std::size_t events_per_thread)
    : limit_(events_per_thread), number_(next_number()), start_ns_(clock_ns()) {}
Trace::~Trace() = default;

std::uint64_t Trace::now() const noexcept { return clock_ns() - start_ns_; }

// Found without a lock after a thread's first event.
Trace::Thread* Trace::mine() noexcept {
  thread_local std::pair<std::uint64_t, Thread*> last = {0, nullptr};
  if (last.first != number_) last = {number_, adopt()};
  if (last.second == nullptr) lost_.fetch_add(1, std::memory_order_relaxed);
  return last.second;
}

Trace::Thread* Trace::adopt() noexcept {
  try {
    const std::lock_guard lock(mutex_);
    const auto known = std::find_if(threads_.begin(), threads_.end(), [](const auto& thread) {
      return thread->owner() == std::this_thread::get_id();
    });
    if (known != threads_.end()) return known->get();
    return threads_.emplace_back(std::make_unique<Thread>(limit_)).get();
  } catch (...) {  // no memory: this thread goes without
    return nullptr;
  }
}

void Trace::begin(std::string_view name, std::string_view plugin) noexcept {
  if (Thread* thread = mine()) thread->open({Kind::kSpan, name, plugin, now(), 0, 0});
}

void Trace::end() noexcept {
  if (Thread* thread = mine()) thread->close(now());
}

void Trace::count(std::string_view name, std::string_view plugin, std::int64_t delta) noexcept {
  if (Thread* thread = mine()) thread->record({Kind::kCounter, name, plugin, now(), 0, delta});
}

std::uint64_t Trace::dropped() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t dropped = lost_.load(std::memory_order_relaxed);
  for (const auto& thread : threads_) dropped += thread->dropped();
  return dropped;
}

std::string Trace::to_chrome_json() const {
  std::vector<std::span<const Event>> threads;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& thread : threads_) threads.push_back(thread->events());
  }
  return chrome_json(threads, dropped());
}

Span::Span(Trace* trace, std::string_view name, std::string_view plugin, std::uint64_t tokens) noexcept
    : trace_(trace) {
  if (trace_ == nullptr || (thread_ = trace_->mine()) == nullptr) return;
  thread_->open({Kind::kSpan, name, plugin, trace_->now(), 0, static_cast<std::int64_t>(tokens)});
  outer_ = thread_->raise_floor();
}

Span::~Span() {
  if (thread_ != nullptr) thread_->lower_floor(outer_, trace_->now());
}

}  // namespace belay::monitoring
