// The host's services as a C++ value: a pointer, cheap to copy, valid until the process ends. Any thread,
// except parallel_for, which belongs inside run and pack.
#pragma once

#include <belay/cpp/guard.hpp>
#include <belay/cpp/struct.hpp>
#include <belay/host.h>

#include <algorithm>
#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <string_view>
#include <type_traits>

namespace belay::sdk {

class Host {
 public:
  explicit Host(const belay_host_t* table) noexcept : table_(table) {}

  [[nodiscard]] const belay_host_t& table() const noexcept { return *table_; }

  // Host memory in the core's books; nullptr when there is none. Given back by release with the same size.
  [[nodiscard]] void* allocate(uint64_t bytes, uint64_t alignment, std::string_view tag) const noexcept {
    return table_->allocate(table_->context, bytes, alignment, str(tag));
  }
  void release(void* memory, uint64_t bytes) const noexcept {
    table_->release(table_->context, memory, bytes);
  }

  // A line for people, at most 511 bytes.
  [[gnu::format(printf, 3, 4)]] void log(int32_t level, const char* format, ...) const noexcept {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    const int size = std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0) return;
    const auto used = std::min<std::size_t>(static_cast<std::size_t>(size), sizeof text - 1);
    table_->log(table_->context, level, str({text, used}));
  }

  // Runs body(begin, end, worker) over [0, count) in ranges of at least `grain`, here and on the host's
  // workers. Work that fits one range runs inline, without asking the host. Allocates nothing. An exception
  // in the body becomes BELAY_INTERNAL after all ranges are done.
  template <class Body>
  [[nodiscard]] belay_status_t parallel_for(uint64_t count, uint64_t grain, Body&& body) const noexcept {
    static_assert(std::is_invocable_v<Body&, uint64_t, uint64_t, uint32_t>);
    using Function = std::remove_reference_t<Body>;
    struct Job {
      Function* body;
      std::atomic<belay_status_t> status{BELAY_OK};
    } job{&body};
    const belay_range_fn call = [](void* user, uint64_t begin, uint64_t end, uint32_t worker) {
      auto& work = *static_cast<Job*>(user);
      const belay_status_t status = guard(nullptr, [&] {
        (*work.body)(begin, end, worker);
        return BELAY_OK;
      });
      if (status != BELAY_OK) work.status.store(status, std::memory_order_relaxed);
    };
    belay_status_t status = BELAY_OK;
    if (count > 0 && count <= grain) {
      call(&job, 0, count, 0);
    } else if (count > 0) {
      status = table_->parallel_for(table_->context, count, std::max<uint64_t>(grain, 1), call, &job);
    }
    return status != BELAY_OK ? status : job.status.load(std::memory_order_relaxed);
  }

  [[nodiscard]] uint32_t max_concurrency() const noexcept {
    return std::max<uint32_t>(table_->max_concurrency(table_->context), 1);
  }
  [[nodiscard]] uint64_t now_ns() const noexcept { return table_->now_ns(table_->context); }
  [[nodiscard]] bool cancelled() const noexcept { return table_->cancelled(table_->context) != 0; }
  [[nodiscard]] bool has_cpu_feature(std::string_view name) const noexcept {
    return table_->has_cpu_feature(table_->context, str(name)) != 0;
  }

  // The user's setting for this plugin, or `otherwise`.
  [[nodiscard]] std::string_view config(std::string_view key,
                                        std::string_view otherwise = {}) const noexcept {
    if (!has(*table_, &belay_host_t::config) || table_->config == nullptr) return otherwise;
    belay_str_t value{};
    return table_->config(table_->context, str(key), &value) == BELAY_OK ? view(value) : otherwise;
  }

  // A span in the user's trace, as long as the object lives, on one thread. Costs a test without a trace.
  class Span {
   public:
    Span(const Span&) = delete;
    Span& operator=(const Span&) = delete;
    ~Span() {
      if (table_ != nullptr) table_->trace_end(table_->context);
    }

   private:
    friend class Host;
    Span(const belay_host_t* table, std::string_view name) noexcept : table_(table) {
      if (table_ != nullptr) table_->trace_begin(table_->context, str(name));
    }
    const belay_host_t* table_;  // null: there is no trace
  };
  // `name` must be a literal.
  [[nodiscard]] Span span(std::string_view name) const noexcept {
    const bool traced = has(*table_, &belay_host_t::trace_end) && table_->trace_begin != nullptr &&
                        table_->trace_end != nullptr;
    return {traced ? table_ : nullptr, name};
  }
  // Adds to a counter of the user's trace. `name` must be a literal.
  void count(std::string_view name, int64_t delta) const noexcept {
    if (!has(*table_, &belay_host_t::counter_add) || table_->counter_add == nullptr) return;
    table_->counter_add(table_->context, str(name), delta);
  }

 private:
  const belay_host_t* table_;
};

}  // namespace belay::sdk
