// The hand-off without TBB: plain threads as helpers, so that the thread sanitizer sees all of it.
#include "core/threading/team.hpp"

#include "tests/support/doctest.hpp"

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace belay::threading {
namespace {

// Plain memory on purpose: each index is written by exactly one thread, and read by the caller after the
// region.
struct Sums {
  std::vector<std::uint64_t> value;
  std::uint64_t add = 0;
};

void add(void* user, std::uint64_t begin, std::uint64_t end, std::uint32_t) {
  auto& sums = *static_cast<Sums*>(user);
  for (std::uint64_t i = begin; i < end; ++i) sums.value[i] += sums.add;
}

void nobody() {}

TEST_CASE("a caller without helpers does everything") {
  Team team;
  Sums sums{std::vector<std::uint64_t>(10), 3};
  team.run({add, &sums, 10, 7}, nobody);
  CHECK(sums.value == std::vector<std::uint64_t>(10, 3));
}

TEST_CASE("helpers come, go and sleep, and every range is done once before run() returns") {
  constexpr std::uint32_t kHelpers = 3;
  Team team;
  Sums sums{std::vector<std::uint64_t>(64), 1};
  std::uint64_t expected = 0;
  for (int round = 0; round < 20; ++round) {
    const std::uint64_t step = team.begin_step();
    std::vector<std::thread> helpers;
    for (std::uint32_t worker = 1; worker <= kHelpers; ++worker) {
      helpers.emplace_back([&team, worker, step] { team.serve(worker, step); });
    }
    if (round % 5 == 4) std::this_thread::sleep_for(std::chrono::milliseconds(8));  // until they sleep
    for (std::uint64_t region = 0; region < 300; ++region) {
      sums.add = region;
      team.run({add, &sums, sums.value.size(), 1 + region % 16}, nobody);
      expected += region;
      if (region % 50 == 0) REQUIRE(sums.value == std::vector<std::uint64_t>(64, expected));
    }
    team.end_step();
    for (std::thread& helper : helpers) helper.join();
  }
  CHECK(sums.value == std::vector<std::uint64_t>(64, expected));
}

TEST_CASE("helpers without a step come in any time") {
  Team team;
  std::atomic<bool> stop{false};
  std::thread helper([&] {
    while (!stop) team.help(1);
  });
  Sums sums{std::vector<std::uint64_t>(33), 1};
  for (int region = 0; region < 5000; ++region) team.run({add, &sums, 33, 8}, nobody);
  stop = true;
  helper.join();
  CHECK(sums.value == std::vector<std::uint64_t>(33, 5000));
}

TEST_CASE("a helper of a step that is over returns") {
  Team team;
  const std::uint64_t old_step = team.begin_step();
  const std::uint64_t step = team.begin_step();
  CHECK(step != old_step);
  team.serve(1, old_step);
  team.end_step();
  team.serve(1, step);
}

}  // namespace
}  // namespace belay::threading
