// Waiting for something that another thread is about to do: first by spinning, then by giving the CPU to
// whoever needs it.
#pragma once

#include <chrono>
#include <thread>

namespace belay::threading {

#if defined(__x86_64__)
inline void relax() { __builtin_ia32_pause(); }
#else
inline void relax() { std::this_thread::yield(); }
#endif

// One wait. The owner calls pause() between two looks at the thing.
class Spin {
 public:
  using Clock = std::chrono::steady_clock;
  // A worker that sleeps takes 20 to 50 us to wake, so the spin covers what lies between two regions of a
  // token; yielding costs the other programs of a busy machine nothing and still sees the next region within
  // a microsecond.
  static constexpr std::chrono::microseconds kPause{50};
  static constexpr std::chrono::microseconds kYield{2000};

  // False once the wait has lasted so long that sleeping is better. Spinning on is allowed.
  bool pause() {
    if (++rounds_ % kRoundsPerLook != 0 && !yielding_) {
      relax();
      return true;
    }
    const Clock::time_point now = Clock::now();
    if (rounds_ == kRoundsPerLook) start_ = now;
    const Clock::duration waited = now - start_;
    yielding_ = waited > kPause;
    if (yielding_) std::this_thread::yield();
    return waited < kYield;
  }
  void restart() {
    rounds_ = 0;
    yielding_ = false;
  }

 private:
  static constexpr unsigned kRoundsPerLook = 64;  // about 2 us: the clock is read seldom
  unsigned rounds_ = 0;
  bool yielding_ = false;
  Clock::time_point start_;
};

}  // namespace belay::threading
