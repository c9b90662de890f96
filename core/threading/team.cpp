#include "core/threading/team.hpp"

#include "core/threading/spin.hpp"

#include <algorithm>

namespace belay::threading {
namespace {

constexpr std::uint64_t kUnclaimed = Team::kMaxRanges;  // the mask of the ticket's lower part
constexpr std::uint64_t kNextRegion = kUnclaimed + 1;

}  // namespace

void Team::open(const Region& region) {
  region_ = region;
  done_.store(0, std::memory_order_relaxed);
  // The caller keeps range 0 without claiming it. Sequentially consistent, as everything that decides about
  // sleeping: either a helper sees this ticket before it sleeps, or wake() sees the helper.
  const std::uint64_t number = ticket_.load(std::memory_order_relaxed) & ~kUnclaimed;
  ticket_.store(number + kNextRegion + (region.ranges - 1));
  wake();
}

void Team::finish() {
  work(0, 0);
  std::uint64_t own = 1;
  for (std::uint64_t range = 0; claim(range); ++own) work(range, 0);
  const std::uint64_t others = region_.ranges - own;
  Spin spin;
  while (done_.load(std::memory_order_acquire) != others) spin.pause();
}

bool Team::claim(std::uint64_t& range) {
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while ((ticket & kUnclaimed) != 0) {
    if (ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acquire)) {
      range = region_.ranges - (ticket & kUnclaimed);
      return true;
    }
  }
  return false;
}

void Team::work(std::uint64_t range, std::uint32_t worker) const {
  const std::uint64_t size = region_.count / region_.ranges;
  const std::uint64_t longer =
      region_.count % region_.ranges;  // so many ranges, the first, have one index more
  const std::uint64_t begin = range * size + std::min(range, longer);
  region_.body(region_.user, begin, begin + size + (range < longer ? 1 : 0), worker);
}

void Team::help(std::uint32_t worker) {
  std::uint64_t finished = 0;
  for (std::uint64_t range = 0; claim(range); ++finished) work(range, worker);
  if (finished > 0) done_.fetch_add(finished, std::memory_order_release);
}

void Team::serve(std::uint32_t worker, std::uint64_t step) {
  Spin spin;
  while (step_.load(std::memory_order_acquire) == step) {
    const std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
    if ((ticket & kUnclaimed) != 0) {
      help(worker);
      spin.restart();
    } else if (!spin.pause()) {
      sleep(ticket, step);
      spin.restart();
    }
  }
}

void Team::sleep(std::uint64_t ticket, std::uint64_t step) {
  sleepers_.fetch_add(1);
  const int bell = bell_.load();
  if (ticket_.load() == ticket && step_.load() == step) bell_.wait(bell);
  sleepers_.fetch_sub(1);
}

void Team::wake() {
  if (sleepers_.load() == 0) return;
  bell_.fetch_add(1);
  bell_.notify_all();
}

std::uint64_t Team::begin_step() {
  step_.store(++last_step_);
  wake();
  return last_step_;
}

void Team::end_step() {
  step_.store(0);
  wake();
}

}  // namespace belay::threading
