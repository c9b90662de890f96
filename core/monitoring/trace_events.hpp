// The events of a trace as plain data, and their form as text. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace belay::monitoring {

enum class Kind : std::uint8_t { kSpan, kCounter };

struct Event {
  Kind kind = Kind::kSpan;
  std::string_view name;
  std::string_view plugin;        // whose it is; empty: the host's
  std::uint64_t start_ns = 0;     // since the trace began
  std::uint64_t duration_ns = 0;  // of a span
  std::int64_t value = 0;  // of a counter what it grew by; of a span the tokens of its step, 0 for none
};

// One JSON object in Chrome's trace format: the threads in their order, a span as "X", a counter's running
// sum over all threads as "C".
[[nodiscard]] std::string chrome_json(std::span<const std::span<const Event>> threads, std::uint64_t dropped);

}  // namespace belay::monitoring
