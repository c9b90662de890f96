#include "tests/plugins/cuda_sm61/emulator/block.hpp"

#include "tests/plugins/cuda_sm61/emulator/races.hpp"

#include <cstring>

namespace belay::emulator {

namespace {

constinit thread_local Thread* current = nullptr;

std::string describe(const Site& site) { return std::string(site.file) + ":" + std::to_string(site.line); }

std::string describe(const Thread& thread) {
  const auto triple = [](const Index& index) {
    return std::to_string(index.x) + "," + std::to_string(index.y) + "," + std::to_string(index.z);
  };
  return "block " + triple(thread.at.block) + ", thread " + triple(thread.at.thread);
}

void release(Block& block, Thread& thread) {
  if (thread.state == State::kReady || thread.state == State::kDone) return;
  if (thread.state == State::kAtBarrier) --block.at_barrier;
  thread.state = State::kReady;
  ++block.ready;
}

// The first failure counts; every thread is let go, to leave at its next wait.
void fail(const Thread& thread, const std::string& what, const std::string& where) {
  Block& block = *thread.block;
  if (!block.error) block.error.emplace(what, where + "; " + describe(thread));
  for (Thread& other : block.threads) release(block, other);
}

[[noreturn]] void fail_and_leave(const Thread& thread, const std::string& what, const std::string& where) {
  fail(thread, what, where);
  throw Abandoned{};
}

void check_deadlock(const Thread& thread) {
  const Block& block = *thread.block;
  if (block.ready > 0 || block.exited == block.threads.size()) return;
  std::string barrier;
  std::string exchange;
  for (const Thread& other : block.threads) {
    if (other.state == State::kAtBarrier) barrier = describe(other.site);
    if (other.state == State::kAtExchange) exchange = describe(other.site);
  }
  fail(thread, "deadlock: threads wait at __syncthreads and others of their warps at a warp intrinsic",
       barrier + " and " + exchange);
}

void wait(Thread& thread, State state) {
  thread.state = state;
  --thread.block->ready;
  check_deadlock(thread);
  pause(thread);
  if (thread.block->error) throw Abandoned{};
}

void release_warp(Block& block, unsigned index) {
  Warp& warp = block.warps[index];
  warp.taken = warp.given;
  warp.arrived = 0;
  ++warp.meetings;
  ++block.stats.warp_exchanges;
  for (unsigned lane = 0; lane < 32; ++lane) release(block, block.threads[index * 32 + lane]);
}

bool same(const Site& a, const Site& b) {
  return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
}

void check_exchange(const Thread& thread, const Warp& warp, unsigned mask) {
  if (mask != 0xffffffffU) {
    fail_and_leave(thread, "a warp intrinsic that does not name all 32 lanes", describe(thread.site));
  }
  if (warp.exited != 0) {
    fail_and_leave(thread, "a warp intrinsic, and lanes of the warp have exited", describe(thread.site));
  }
  if (warp.arrived != 0 && !same(warp.site, thread.site)) {
    fail_and_leave(thread, "lanes of one warp are at different warp intrinsics",
                   describe(warp.site) + " and " + describe(thread.site));
  }
}

// Gives a value to the warp and returns when all lanes have.
const Warp& meet_warp(unsigned mask, std::uint32_t value, Site site) {
  Thread& thread = *current;
  if (thread.block->error) throw Abandoned{};
  Warp& warp = thread.block->warps[thread.index / 32];
  thread.site = site;
  check_exchange(thread, warp, mask);
  warp.site = site;
  warp.given[thread.index % 32] = value;
  warp.arrived |= 1U << thread.index % 32;
  if (warp.arrived == mask) {
    release_warp(*thread.block, thread.index / 32);
    pause(thread);
  } else {
    wait(thread, State::kAtExchange);
  }
  return warp;
}

void leave(Thread& thread) {
  Block& block = *thread.block;
  thread.state = State::kDone;
  --block.ready;
  ++block.exited;
  Warp& warp = block.warps[thread.index / 32];
  warp.exited |= 1U << thread.index % 32;
  if (block.error) return;
  if (block.at_barrier > 0) {
    fail(thread, "a thread exits while others wait at __syncthreads", describe(block.barrier_site));
  } else if (warp.arrived != 0) {
    fail(thread, "a lane exits while others of its warp wait at a warp intrinsic", describe(warp.site));
  }
}

std::byte* poisoned(SharedArray& array) {
  std::memset(array.memory.get(), 0xff, array.bytes);
  return array.memory.get();
}

}  // namespace

const Coordinates& coordinates() { return current->at; }

unsigned lane() { return current->index % 32; }

void set_current(Thread* thread) { current = thread; }

void block_barrier(Site site) {
  Thread& thread = *current;
  Block& block = *thread.block;
  if (block.error) throw Abandoned{};
  thread.site = site;
  if (block.exited > 0)
    fail_and_leave(thread, "__syncthreads, and threads of the block have exited", describe(site));
  if (block.at_barrier > 0 && !same(block.barrier_site, site)) {
    fail_and_leave(thread, "threads of one block are at different __syncthreads",
                   describe(block.barrier_site) + " and " + describe(site));
  }
  block.barrier_site = site;
  char* const order = &block.order[block.stats.barriers % 2];
  happens_before(order);
  if (++block.at_barrier < block.threads.size()) {
    wait(thread, State::kAtBarrier);
  } else {
    --block.at_barrier;  // this thread's own arrival
    for (Thread& other : block.threads) release(block, other);
    ++block.stats.barriers;
    pause(thread);
  }
  happens_after(order);
}

void warp_barrier(unsigned mask, Site site) {
  Warp& warp = current->block->warps[current->index / 32];
  char* const order = &warp.order[warp.meetings % 2];
  happens_before(order);
  meet_warp(mask, 0, site);
  happens_after(order);
}

std::uint32_t exchange(unsigned mask, std::uint32_t value, unsigned from, Site site) {
  return meet_warp(mask, value, site).taken[from % 32];
}

unsigned ballot(unsigned mask, bool value, Site site) {
  const Warp& warp = meet_warp(mask, value ? 1 : 0, site);
  unsigned lanes = 0;
  for (unsigned lane = 0; lane < 32; ++lane) lanes |= warp.taken[lane] << lane;
  return lanes;
}

void* shared_memory(const void* key, std::size_t bytes) {
  Block& block = *current->block;
  for (const SharedArray& array : block.shared) {
    if (array.key != key) continue;
    happens_after(array.memory.get());
    return array.memory.get();
  }
  block.shared_bytes += bytes;
  if (block.shared_bytes > block.options.shared_limit) {
    fail_and_leave(*current,
                   "a block shares " + std::to_string(block.shared_bytes) + " bytes, more than it may",
                   "its declarations");
  }
  block.shared.push_back({key, bytes, std::make_unique<std::byte[]>(bytes)});
  std::byte* const memory = poisoned(block.shared.back());
  happens_before(memory);  // its filling, for those who come later
  return memory;
}

void* dynamic_shared_memory() { return current->block->dynamic.memory.get(); }

void begin_block(Block& block, Index index) {
  for (SharedArray& array : block.shared) poisoned(array);
  if (block.dynamic.bytes > 0) poisoned(block.dynamic);
  block.ready = static_cast<unsigned>(block.threads.size());
  block.exited = 0;
  block.at_barrier = 0;
  for (Warp& warp : block.warps) warp = Warp{};
  for (Thread& thread : block.threads) {
    thread.at.block = index;
    thread.state = State::kReady;
  }
}

void run_thread(Thread& thread) {
  try {
    thread.block->kernel(thread.block->args);
  } catch (const Abandoned&) {  // the block has an error
  }
  leave(thread);
}

}  // namespace belay::emulator
