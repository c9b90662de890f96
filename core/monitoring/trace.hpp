// What happened when, for a person with a trace viewer: spans and counters of every thread, kept in memory
// until they are written. Any thread may record at any time, without a lock; a thread allocates once, at its
// first event. Names and plugins are not copied: they must live until the trace was written.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace belay::monitoring {

class Trace {
 public:
  // About 500 tokens of a model with 30 layers; 16 MiB a thread.
  static constexpr std::size_t kEventsPerThread = std::size_t{1} << 18U;

  explicit Trace(std::size_t events_per_thread = kEventsPerThread);
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;
  ~Trace();  // no thread may record any more

  // A span of the calling thread on behalf of a plugin, which may forget to end it or end one too many:
  // neither reaches beyond the Span, if any, that lies around.
  void begin(std::string_view name, std::string_view plugin) noexcept;
  void end() noexcept;
  void count(std::string_view name, std::string_view plugin, std::int64_t delta) noexcept;

  // Events that found no room. Each thread keeps its first ones, so that what is there is whole.
  [[nodiscard]] std::uint64_t dropped() const;

  // All that was recorded so far in Chrome's trace format, which ui.perfetto.dev and chrome://tracing open.
  // Others may go on recording.
  [[nodiscard]] std::string to_chrome_json() const;

 private:
  friend class Span;
  class Thread;

  [[nodiscard]] Thread* mine() noexcept;
  [[nodiscard]] Thread* adopt() noexcept;
  [[nodiscard]] std::uint64_t now() const noexcept;

  const std::size_t limit_;
  const std::uint64_t number_;  // of this trace among all of the process; never 0
  const std::uint64_t start_ns_;
  std::atomic<std::uint64_t> lost_{0};  // events of threads that got no memory
  mutable std::mutex mutex_;            // of the list; not of its elements
  std::vector<std::unique_ptr<Thread>> threads_;
};

// A span of the host, as long as this object lives. Spans that a plugin opened inside end with it. Does
// nothing without a trace.
class Span {
 public:
  // `tokens` of the step that this is; 0: not a step.
  Span(Trace* trace, std::string_view name, std::string_view plugin = {}, std::uint64_t tokens = 0) noexcept;
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;
  ~Span();

 private:
  Trace* trace_;
  Trace::Thread* thread_ = nullptr;
  std::size_t outer_ = 0;  // the floor of the span around
};

}  // namespace belay::monitoring
