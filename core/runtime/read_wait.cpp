#include "core/runtime/read_wait.hpp"

#include <chrono>

namespace belay::runtime {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPatience{50};  // between two looks at whether the user wants to stop

std::uint64_t nanoseconds(Clock::time_point at) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count());
}

}  // namespace

Status wait_for(dispatch::StorageRead& read, const Stop& stop, dispatch::Trouble& trouble) {
  do {
    BELAY_TRY(stop.check());
    trouble = read.wait(nanoseconds(Clock::now() + kPatience));
    if (trouble && trouble->code == BELAY_CANCELLED) return Error{ErrorCode::kInterrupted, "interrupted"};
  } while (trouble && trouble->code == BELAY_TIMEOUT);
  return {};
}

}  // namespace belay::runtime
