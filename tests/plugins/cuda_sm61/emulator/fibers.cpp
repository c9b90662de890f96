// Runs the threads of a block as fibers of the calling thread.
#include "tests/plugins/cuda_sm61/emulator/block.hpp"
#include "tests/plugins/cuda_sm61/emulator/context.hpp"
#include "tests/plugins/cuda_sm61/emulator/races.hpp"

#include <algorithm>
#include <random>
#include <span>

namespace belay::emulator {

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kStackBytes = std::size_t{256} << 10;
#else
constexpr std::size_t kStackBytes = std::size_t{64} << 10;
#endif

// The block that runs on this thread and the contexts of its threads. Launches do not nest.
struct Scheduler {
  Scheduler() = default;
  ~Scheduler() {
    for (Context& fiber : fibers) end_fiber(fiber.fiber);
  }
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  Block* block = nullptr;
  Context main;
  std::vector<Context> fibers;
  Thread* running = nullptr;
};
Scheduler& scheduler() {
  static thread_local Scheduler instance;
  return instance;
}

void fiber_entry() {
  Scheduler& own = scheduler();
  entered(own.main);
  happens_after(own.block);
  run_thread(*own.running);
  happens_before(&own.block->exited);
  switch_to(own.fibers[own.running->index], own.main, true);
}

void resume(Scheduler& own, Thread& thread) {
  if (thread.state != State::kReady) return;
  own.running = &thread;
  set_current(&thread);
  switch_to(own.main, own.fibers[thread.index]);
}

void run_greedily(Scheduler& own) {
  Block& block = *own.block;
  const std::size_t warps = block.warps.size();
  for (std::size_t i = 0; i < warps; ++i) {
    const std::size_t warp = block.options.seed % 2 == 1 ? warps - 1 - i : i;
    const auto lanes = std::span(block.threads).subspan(warp * 32, 32);
    const auto is_ready = [](const Thread& thread) { return thread.state == State::kReady; };
    while (std::any_of(lanes.begin(), lanes.end(), is_ready)) {
      for (Thread& thread : lanes) resume(own, thread);
    }
  }
}

void run_rounds(Scheduler& own) {
  Block& block = *own.block;
  std::vector<unsigned> order(block.threads.size());
  for (unsigned i = 0; i < order.size(); ++i) order[i] = i;
  if (block.options.order == Order::kReverse) std::reverse(order.begin(), order.end());
  std::mt19937 random(block.options.seed);
  while (block.exited < block.threads.size()) {
    if (block.options.order == Order::kGreedy) {
      run_greedily(own);
      continue;
    }
    if (block.options.order == Order::kShuffled) std::shuffle(order.begin(), order.end(), random);
    for (const unsigned i : order) resume(own, block.threads[i]);
  }
}

}  // namespace

void pause(Thread& thread) {
  Scheduler& own = scheduler();
  switch_to(own.fibers[thread.index], own.main);
}

void run_threads(Block& block) {
  Scheduler& own = scheduler();
  const std::vector<std::byte*>& memory = stacks(block.threads.size(), kStackBytes);
  own.block = &block;
  own.main.fiber = running_fiber();
  own.fibers.resize(std::max(own.fibers.size(), block.threads.size()));
  for (Thread& thread : block.threads)
    prepare(own.fibers[thread.index], memory[thread.index], kStackBytes, fiber_entry);
  happens_before(&block);
  run_rounds(own);
  happens_after(&block.exited);
  set_current(nullptr);
}

}  // namespace belay::emulator
