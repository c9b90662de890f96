// Why a generation should end before it is done: the user asked, or the time allowed is over. Checked between
// operators.
#pragma once

#include "core/base/status.hpp"

#include <atomic>
#include <chrono>
#include <optional>

namespace belay::runtime {

struct Stop {
  const std::atomic<bool>* interrupted = nullptr;  // set by a signal handler; may be null
  std::optional<std::chrono::steady_clock::time_point> deadline;

  [[nodiscard]] Status check() const {
    if (interrupted != nullptr && interrupted->load(std::memory_order_relaxed)) {
      return Error{ErrorCode::kInterrupted, "interrupted"};
    }
    if (deadline && std::chrono::steady_clock::now() >= *deadline) {
      return Error{ErrorCode::kDeadline, "the time given with --deadline is over"};
    }
    return {};
  }
};

}  // namespace belay::runtime
