#include "core/runtime/ahead_read.hpp"

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

void AheadRead::start(dispatch::Storage& storage, dispatch::StorageFile& file,
                      std::span<const belay_extent_t> extents) {
  trouble_.reset();
  if (!storage.healthy()) return;
  trouble_ = file.read(extents, read_);
  if (!trouble_) return;
  read_.reset();
  storage.count_failure(*trouble_);
}

Status AheadRead::arrive(dispatch::Storage& storage, const Stop& stop, dispatch::Trouble& trouble) {
  if (!read_) {
    trouble = trouble_ ? *trouble_
                       : dispatch::Failure{BELAY_INTERNAL, BELAY_SCOPE_PLUGIN, "out of use after failures"};
    return {};
  }
  do {
    BELAY_TRY(stop.check());
    trouble = read_->wait(nanoseconds(Clock::now() + kPatience));
    if (trouble && trouble->code == BELAY_CANCELLED) return Error{ErrorCode::kInterrupted, "interrupted"};
  } while (trouble && trouble->code == BELAY_TIMEOUT);
  read_.reset();
  if (trouble) {
    storage.count_failure(*trouble);
  } else {
    storage.count_success();
  }
  return {};
}

}  // namespace belay::runtime
