#include "core/threading/pool.hpp"

#include "core/threading/affinity.hpp"
#include "tests/support/doctest.hpp"

#include <tbb/global_control.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

namespace belay::threading {
namespace {

// What a region saw. Counts with atomics, so that a broken pool is reported and is no race itself.
struct Ledger {
  explicit Ledger(std::uint64_t count) : visits(std::make_unique<std::atomic<int>[]>(count)), size(count) {}

  std::unique_ptr<std::atomic<int>[]> visits;
  std::uint64_t size;
  std::uint32_t threads = 0;
  std::uint64_t least_range = 0;
  std::atomic<int> calls{0};
  std::atomic<int> wrong{
      0};  // a worker number too large, or held twice at a time; a range too short or outside
  std::array<std::atomic<int>, 64> busy{};
};

void record(void* user, std::uint64_t begin, std::uint64_t end, std::uint32_t worker) {
  auto& ledger = *static_cast<Ledger*>(user);
  ledger.calls++;
  if (worker >= ledger.threads || begin >= end || end > ledger.size || end - begin < ledger.least_range) {
    ledger.wrong++;
    return;
  }
  if (ledger.busy[worker]++ != 0) ledger.wrong++;
  for (std::uint64_t i = begin; i < end; ++i) ledger.visits[i]++;
  ledger.busy[worker]--;
}

// Runs a region and says whether every index was visited once, under the rules.
bool complete(Pool& pool, std::uint64_t count, std::uint64_t grain) {
  Ledger ledger(count);
  ledger.threads = pool.threads();
  ledger.least_range = std::min(count, std::max<std::uint64_t>(grain, 1));
  pool.parallel_for(count, grain, record, &ledger);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (ledger.visits[i] != 1) return false;
  }
  return ledger.wrong == 0 && (count > 0 || ledger.calls == 0);
}

void check_size(Pool& pool, std::uint64_t count, std::uint64_t grain) {
  CAPTURE(count);
  CAPTURE(grain);
  CHECK(complete(pool, count, grain));
}

void check_sizes(Pool& pool) {
  for (const std::uint64_t count : {0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 63, 64, 65, 1000, 1023, 4099}) {
    for (const std::uint64_t grain : {0, 1, 2, 3, 8, 64, 1000, 100000}) check_size(pool, count, grain);
  }
}

TEST_CASE("every index is visited once, in ranges of the grain, by workers below threads()") {
  for (const std::uint32_t threads : {0U, 1U, 2U, 3U, 4U, 8U}) {
    CAPTURE(threads);
    Pool pool({.threads = threads, .cpus = {}});
    CHECK(pool.threads() == std::max(threads, 1U));
    check_sizes(pool);
    const Pool::Step step(pool);
    check_sizes(pool);
  }
}

TEST_CASE("counts near the end of 64 bits") {
  Pool pool({.threads = 3});
  std::atomic<std::uint64_t> sum{0};
  const auto add = [](void* user, std::uint64_t begin, std::uint64_t end, std::uint32_t) {
    *static_cast<std::atomic<std::uint64_t>*>(user) += end - begin;
  };
  pool.parallel_for(~std::uint64_t{0}, 1, add, &sum);
  CHECK(sum == ~std::uint64_t{0});
  sum = 0;
  pool.parallel_for(~std::uint64_t{0}, ~std::uint64_t{0} / 2, add, &sum);
  CHECK(sum == ~std::uint64_t{0});
}

TEST_CASE("a call from inside a body runs there, as the same worker") {
  struct Outer {
    Pool* pool;
    std::atomic<int> inner_calls{0};
    std::atomic<int> wrong{0};
  };
  struct Inner {
    Outer* outer;
    std::thread::id thread;
    std::uint32_t worker;
  };
  Pool pool({.threads = 3});
  const auto outer_body = [](void* user, std::uint64_t, std::uint64_t, std::uint32_t worker) {
    auto& outer = *static_cast<Outer*>(user);
    Inner inner{&outer, std::this_thread::get_id(), worker};
    outer.pool->parallel_for(
        100, 1,
        [](void* inner_user, std::uint64_t begin, std::uint64_t end, std::uint32_t inner_worker) {
          const auto& self = *static_cast<Inner*>(inner_user);
          self.outer->inner_calls++;
          const bool whole = begin == 0 && end == 100;
          if (!whole || inner_worker != self.worker || std::this_thread::get_id() != self.thread)
            self.outer->wrong++;
        },
        &inner);
  };
  Outer outer{.pool = &pool};
  pool.parallel_for(6, 1, outer_body, &outer);
  {
    const Pool::Step step(pool);
    pool.parallel_for(6, 1, outer_body, &outer);
  }
  CHECK(outer.inner_calls == 12);
  CHECK(outer.wrong == 0);
}

TEST_CASE("two pools, and one pool from two threads") {
  Pool first({.threads = 2});
  Pool second({.threads = 3});
  std::atomic<int> bad{0};
  const auto work = [&bad](Pool& pool, bool in_steps) {
    for (int i = 0; i < 300; ++i) {
      const auto step = in_steps ? std::make_unique<Pool::Step>(pool) : nullptr;
      if (!complete(pool, 100, 1)) bad++;
    }
  };
  std::thread a([&] { work(first, true); });
  std::thread b([&] { work(second, false); });
  std::thread c([&] { work(second, true); });
  a.join();
  b.join();
  c.join();
  CHECK(bad == 0);
}

TEST_CASE("ten thousand steps") {
  Pool pool({.threads = 3});
  for (int i = 0; i < 10000; ++i) {
    const Pool::Step step(pool);
    if (i % 3 != 0) REQUIRE(complete(pool, 12, 1));
  }
}

TEST_CASE("steps inside steps") {
  Pool pool({.threads = 2});
  const Pool::Step outer(pool);
  {
    const Pool::Step inner(pool);
    CHECK(complete(pool, 100, 1));
  }
  CHECK(complete(pool, 100, 1));
}

TEST_CASE("nothing is lost with more threads than CPUs, uneven work and sleeping workers") {
  Pool pool({.threads = 8});
  const Pool::Step step(pool);
  for (int i = 0; i < 2000; ++i) {
    REQUIRE(complete(pool, 1 + static_cast<std::uint64_t>(i) % 97, 1 + static_cast<std::uint64_t>(i) % 5));
    // Now and then long enough for the workers to fall asleep.
    if (i % 250 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(6));
  }
}

TEST_CASE("in a step the workers do take part") {
  Pool pool({.threads = 2});
  const Pool::Step step(pool);
  struct Seen {
    std::array<std::atomic<int>, 2> calls{};
  } seen;
  const auto body = [](void* user, std::uint64_t, std::uint64_t, std::uint32_t worker) {
    static_cast<Seen*>(user)->calls[worker]++;
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(200);
    while (std::chrono::steady_clock::now() < end) continue;
  };
  // A worker may be late on a busy machine, but not for seconds.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (seen.calls[1] == 0 && std::chrono::steady_clock::now() < deadline)
    pool.parallel_for(8, 1, body, &seen);
  CHECK(seen.calls[0] > 0);
  CHECK(seen.calls[1] > 0);
}

TEST_CASE("the caller is pinned during a step, and free again after it") {
  const CpuMask before = thread_affinity();
  REQUIRE_FALSE(before.empty());
  std::uint32_t cpu = 0;
  while ((before.words[cpu / 64] >> (cpu % 64) & 1U) == 0) ++cpu;
  Pool pool({.threads = 2, .cpus = {cpu, cpu}});
  pool.parallel_for(
      100, 1, [](void*, std::uint64_t, std::uint64_t, std::uint32_t) {}, nullptr);
  CHECK(thread_affinity() == before);
  {
    const Pool::Step step(pool);
    CpuMask one;
    one.used = before.used;
    one.words[cpu / 64] = 1UL << (cpu % 64);
    CHECK(thread_affinity() == one);
    CHECK(complete(pool, 1000, 1));
  }
  CHECK(thread_affinity() == before);
  Pool unpinned({.threads = 2, .cpus = {cpu, cpu}, .pin = false});
  const Pool::Step step(unpinned);
  CHECK(thread_affinity() == before);
}

TEST_CASE("without any worker the caller does everything") {
  // TBB says on stderr that it got a request beyond this limit.
  const tbb::global_control none(tbb::global_control::max_allowed_parallelism, 1);
  Pool pool({.threads = 4});
  CHECK(complete(pool, 1000, 1));
  for (int i = 0; i < 100; ++i) {
    const Pool::Step step(pool);
    REQUIRE(complete(pool, 1000, 1));
  }
  CHECK(complete(pool, 1000, 1));
}

TEST_CASE("CPUs that do not exist cost nothing but the pinning") {
  const CpuMask before = thread_affinity();
  Pool pool({.threads = 2, .cpus = {4000, 5000}});
  {
    const Pool::Step step(pool);
    CHECK(complete(pool, 1000, 1));
  }
  CHECK(thread_affinity() == before);
}

}  // namespace
}  // namespace belay::threading
