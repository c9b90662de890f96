// Hands the ranges of one parallel region at a time to whichever threads come to help. It owns no threads:
// the caller of a region works itself, helpers join when they can, and every range is claimed, never
// assigned, so that a helper that does not come delays nobody.
#pragma once

#include <belay/host.h>

#include <atomic>
#include <cstdint>

namespace belay::threading {

// A region: `body` over [0, count), cut into `ranges` even parts.
struct Region {
  belay_range_fn body = nullptr;
  void* user = nullptr;
  std::uint64_t count = 0;
  std::uint64_t ranges = 1;  // at most kMaxRanges and at most count
};

class Team {
 public:
  static constexpr std::uint64_t kMaxRanges = (std::uint64_t{1} << 24U) - 1;

  // --- The caller of a region, one at a time ---
  // Runs the region together with whoever helps; returns when every range is done. `summon()` is called once
  // the region may be helped with.
  template <class Summon>
  void run(const Region& region, const Summon& summon) {
    open(region);
    summon();
    finish();
  }

  // --- Helpers: any threads, each with a worker number of its own, not 0 ---
  // Works on the open region, if any, until all its ranges are claimed.
  void help(std::uint32_t worker);
  // Helps with every region until the step is over; waits between them as Spin does, and at last sleeps.
  void serve(std::uint32_t worker, std::uint64_t step);

  // --- The owner of the helpers ---
  [[nodiscard]] std::uint64_t begin_step();  // never 0; ends the step before
  void end_step();

 private:
  // Distance that keeps two variables out of one another's cache line, and of the line that is fetched along
  // with it.
  static constexpr std::size_t kApart = 128;

  void open(const Region& region);
  void finish();
  bool claim(std::uint64_t& range);
  void work(std::uint64_t range, std::uint32_t worker) const;
  void sleep(std::uint64_t ticket, std::uint64_t step);
  void wake();

  // Upper 40 bits: number of the region. Lower 24: ranges not yet claimed. A claim is a compare-and-swap of
  // the whole, so one for a region that is over cannot succeed; and while a claimed range is unfinished, no
  // other region opens.
  alignas(kApart) std::atomic<std::uint64_t> ticket_{0};
  Region region_;  // written only between regions; read only behind a claim
  alignas(kApart) std::atomic<std::uint64_t> done_{0};  // finished ranges of the region
  alignas(kApart) std::atomic<std::uint64_t> step_{0};  // 0: no step
  std::uint64_t last_step_ = 0;
  std::atomic<std::uint32_t> sleepers_{0};
  std::atomic<int> bell_{0};  // an int is what a futex waits on
};

}  // namespace belay::threading
