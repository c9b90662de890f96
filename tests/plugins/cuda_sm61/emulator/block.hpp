// The state of the block that runs: its threads, what they wait for, its shared memory, and the rules of
// waiting. How threads come to run: fibers.cpp.
#pragma once

#include "tests/plugins/cuda_sm61/emulator/device_on_host.hpp"
#include "tests/plugins/cuda_sm61/emulator/launch.hpp"

#include <array>
#include <memory>
#include <optional>
#include <vector>

namespace belay::emulator {

enum class State { kReady, kAtBarrier, kAtExchange, kDone };

struct Block;

struct Thread {
  Coordinates at;
  Block* block = nullptr;
  unsigned index = 0;  // in the block
  State state = State::kReady;
  Site site;  // of the last wait
};

struct Warp {
  std::array<std::uint32_t, 32> given{};
  std::array<std::uint32_t, 32> taken{};  // what `given` was when the last lane came
  unsigned arrived = 0;
  Site site;  // where those wait
  unsigned exited = 0;
  unsigned meetings = 0;
  std::array<char, 2> order{};  // races.hpp: of every other meeting, as in Block
};

struct SharedArray {
  const void* key = nullptr;
  std::size_t bytes = 0;
  std::unique_ptr<std::byte[]> memory;  // of its own: AddressSanitizer sees accesses beyond it
};

struct Block {
  Thunk kernel = nullptr;
  void** args = nullptr;
  Options options;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::vector<SharedArray> shared;
  SharedArray dynamic;
  std::size_t shared_bytes = 0;
  unsigned ready = 0;
  unsigned at_barrier = 0;
  Site barrier_site;  // where those wait
  unsigned exited = 0;
  // Addresses for races.hpp, of every other barrier: who comes to the next one early has not ordered anything
  // for those who still leave the last.
  std::array<char, 2> order{};
  std::optional<LaunchError> error;
  Stats stats;
};

// Thrown through a kernel once its block has failed.
struct Abandoned {};

// Sets the block up for its place in the grid.
void begin_block(Block& block, Index index);
// The whole life of one thread, called in the thread's own context.
void run_thread(Thread& thread);
void set_current(Thread* thread);

// fibers.cpp: lets others run and returns when the thread's state is kReady, which it may be already.
void pause(Thread& thread);
// Runs all threads of a block to their ends.
void run_threads(Block& block);

}  // namespace belay::emulator
