// The executor that runs the threads of a block as threads of the operating system: slow, and what
// ThreadSanitizer understands. The order is the system's.
#include "tests/plugins/cuda_sm61/emulator/block.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace belay::emulator {

namespace {

std::mutex& mutex() {
  static std::mutex instance;
  return instance;
}
std::condition_variable& changed() {
  static std::condition_variable instance;
  return instance;
}

}  // namespace

Lock::Lock() { mutex().lock(); }
Lock::~Lock() { mutex().unlock(); }
void wake() { changed().notify_all(); }

void pause(Thread& thread, Lock& /*lock*/) {
  std::unique_lock<std::mutex> held(mutex(), std::adopt_lock);
  changed().wait(held, [&] { return thread.state == State::kReady; });
  held.release();  // the caller's Lock unlocks
}

void run_threads(Block& block) {
  std::vector<std::thread> threads;
  for (Thread& thread : block.threads) {
    threads.emplace_back([&thread] {
      set_current(&thread);
      run_thread(thread);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace belay::emulator
