// The only file that includes TBB.
#include "core/threading/pool.hpp"

#include "core/threading/affinity.hpp"
#include "core/threading/team.hpp"

#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#include <tbb/task_scheduler_observer.h>

#include <algorithm>
#include <mutex>
#include <utility>

namespace belay::threading {
namespace {

// The most ranges a thread gets of one region: a few, so that a thread that was held up can be relieved by
// the others.
constexpr std::uint64_t kRangesPerThread = 4;

// What the calling thread is doing for which pool: a call from inside a body must not wait for its own
// region.
struct Duty {
  const Pool* pool = nullptr;
  std::uint32_t worker = 0;
};
thread_local Duty duty;

class OnDuty {
 public:
  OnDuty(const Pool* pool, std::uint32_t worker) : before_(std::exchange(duty, {pool, worker})) {}
  ~OnDuty() { duty = before_; }
  OnDuty(const OnDuty&) = delete;
  OnDuty& operator=(const OnDuty&) = delete;

 private:
  Duty before_;
};

std::uint64_t range_count(std::uint64_t count, std::uint64_t grain, std::uint64_t threads) {
  const std::uint64_t most = count / std::max<std::uint64_t>(grain, 1);
  if (most <= threads) return std::max<std::uint64_t>(most, 1);
  // A multiple of the threads: even work then ends at the same time everywhere.
  return std::min(threads * std::min(most / threads, kRangesPerThread), Team::kMaxRanges);
}

// Pins TBB's workers while they are in the arena, and lets them go when they leave it for another.
class Pinning final : public tbb::task_scheduler_observer {
 public:
  Pinning(tbb::task_arena& arena, std::vector<std::uint32_t> cpus)
      : tbb::task_scheduler_observer(arena), cpus_(std::move(cpus)), everywhere_(thread_affinity()) {
    if (!everywhere_.empty()) observe(true);
  }
  ~Pinning() override { observe(false); }
  Pinning(const Pinning&) = delete;
  Pinning& operator=(const Pinning&) = delete;

  void on_scheduler_entry(bool is_worker) override {
    const auto index = static_cast<std::size_t>(tbb::this_task_arena::current_thread_index());
    if (is_worker && index < cpus_.size()) pin_thread(cpus_[index]);
  }
  void on_scheduler_exit(bool is_worker) override {
    if (is_worker) set_thread_affinity(everywhere_);
  }

 private:
  std::vector<std::uint32_t> cpus_;
  CpuMask everywhere_;
};

}  // namespace

// TBB's threads, and the team that they form. Every task ends by itself once its region or step is over, and
// whoever waits for the group runs the tasks that no worker took: no wait depends on a worker being there.
class Pool::Workers {
 public:
  Workers(const Pool* pool, PoolOptions options)
      : pool_(pool), count_(static_cast<int>(options.threads)), arena_(count_, /*reserved_for_masters=*/1) {
    allow(options.threads);
    arena_.initialize();
    if (options.pin && !options.cpus.empty()) {
      first_cpu_ = static_cast<std::int64_t>(options.cpus.front());
      pinning_ = std::make_unique<Pinning>(arena_, std::move(options.cpus));
    }
  }
  ~Workers() {
    team_.end_step();
    wait();
    pinning_.reset();
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Under mutex().
  void run(const Region& region) {
    const OnDuty caller(pool_, 0);
    team_.run(region, [this] {
      if (steps_ == 0) summon([this](std::uint32_t worker) { team_.help(worker); });
    });
    if (steps_ == 0) wait();
  }

  // Both under mutex(). The CPUs that the thread had before, if it was pinned.
  CpuMask begin_step() {
    if (++steps_ > 1) return {};
    wait();
    const std::uint64_t step = team_.begin_step();
    summon([this, step](std::uint32_t worker) { team_.serve(worker, step); });
    if (first_cpu_ < 0) return {};
    CpuMask before = thread_affinity();
    if (!before.empty()) pin_thread(static_cast<std::uint32_t>(first_cpu_));
    return before;
  }
  void end_step() {
    if (--steps_ == 0) team_.end_step();
  }

  [[nodiscard]] std::mutex& mutex() { return mutex_; }

 private:
  // The arena bounds our threads; TBB's own bound, the CPUs of the process, is only ever raised. Lowering it
  // would bind other pools, too, and make TBB print a warning for each.
  void allow(std::size_t threads) {
    constexpr auto kThreads = tbb::global_control::max_allowed_parallelism;
    if (tbb::global_control::active_value(kThreads) >= threads) return;
    limit_ = std::make_unique<tbb::global_control>(kThreads, threads);
  }

  // One task for each worker. What TBB has no memory for is not summoned.
  template <class Work>
  void summon(const Work& work) {
    const auto task = [this, work] { as_worker(work); };
    try {
      arena_.execute([&] {
        for (int i = 1; i < count_; ++i) group_.run(task);
      });
    } catch (...) {  // NOLINT(bugprone-empty-catch): the caller does the work alone
    }
  }

  // The arena keeps slot 0 for the caller of a region, so workers are numbered from 1. When a task runs on
  // slot 0, the caller waits for the group, and nothing is left to do.
  template <class Work>
  void as_worker(const Work& work) {
    const int slot = tbb::this_task_arena::current_thread_index();
    if (slot < 1 || slot >= count_) return;
    const auto worker = static_cast<std::uint32_t>(slot);
    const OnDuty helper(pool_, worker);
    work(worker);
  }

  // Until every task has ended. A task that is left over after a failure does nothing any more when it runs.
  void wait() {
    try {
      arena_.execute([this] { group_.wait(); });
    } catch (...) {  // NOLINT(bugprone-empty-catch): see above
    }
  }

  const Pool* pool_;
  int count_;
  std::unique_ptr<tbb::global_control> limit_;
  tbb::task_arena arena_;
  tbb::task_group group_;
  std::unique_ptr<Pinning> pinning_;
  std::int64_t first_cpu_ = -1;  // -1: nobody is pinned
  Team team_;
  int steps_ = 0;
  std::mutex mutex_;
};

Pool::Pool(PoolOptions options) : threads_(std::clamp<std::uint32_t>(options.threads, 1, 1024)) {
  options.threads = threads_;
  if (threads_ > 1) workers_ = std::make_unique<Workers>(this, std::move(options));
}

Pool::~Pool() = default;

void Pool::parallel_for(std::uint64_t count, std::uint64_t grain, belay_range_fn body, void* user) {
  if (count == 0) return;
  if (duty.pool == this) return body(user, 0, count, duty.worker);
  if (workers_ == nullptr) return body(user, 0, count, 0);
  const std::lock_guard lock(workers_->mutex());
  const std::uint64_t ranges = range_count(count, grain, threads_);
  if (ranges == 1) {
    const OnDuty caller(this, 0);
    return body(user, 0, count, 0);
  }
  workers_->run({body, user, count, ranges});
}

Pool::Step::Step(Pool& pool) : pool_(pool) {
  if (pool_.workers_ == nullptr) return;
  const std::lock_guard lock(pool_.workers_->mutex());
  affinity_ = pool_.workers_->begin_step();
}

Pool::Step::~Step() {
  if (pool_.workers_ == nullptr) return;
  const std::lock_guard lock(pool_.workers_->mutex());
  pool_.workers_->end_step();
  set_thread_affinity(affinity_);
}

}  // namespace belay::threading
