// The threads of Belay, and the only room that starts any: the calling thread and TBB's workers in an arena
// of their own. parallel_for() may be called from any thread, one at a time (a second one waits); a call from
// inside a body runs there, on its own.
#pragma once

#include "core/threading/affinity.hpp"

#include <belay/host.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace belay::threading {

struct PoolOptions {
  std::uint32_t threads = 1;             // with the caller; 0 counts as 1
  std::vector<std::uint32_t> cpus = {};  // thread i is pinned to cpus[i]; those beyond the list are not
  bool pin = true;
};

class Pool {
 public:
  explicit Pool(PoolOptions options);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();  // not during a Step or a parallel_for

  [[nodiscard]] std::uint32_t threads() const { return threads_; }

  // `body` over [0, count) in ranges of at least `grain` indices (all of them, when there are fewer), each
  // with a worker number below threads() that nobody else has at the time. Returns when all are done. With
  // fewer workers than asked for, or none, the caller does the rest.
  void parallel_for(std::uint64_t count, std::uint64_t grain, belay_range_fn body, void* user);

  // For its lifetime the workers stand ready: a region is handed over in well under a microsecond instead of
  // some tens. The thread that makes it is pinned, too, and gets its CPUs back at the end, on the same
  // thread. Steps may be nested; only the outermost counts. Made for a token or a prefill, not for a whole
  // session: ready workers use CPU.
  class Step {
   public:
    explicit Step(Pool& pool);
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;
    ~Step();

   private:
    Pool& pool_;
    CpuMask affinity_;  // of the thread, to be restored; empty: nothing to restore
  };

 private:
  class Workers;

  std::uint32_t threads_;
  std::unique_ptr<Workers> workers_;  // none with one thread
};

}  // namespace belay::threading
