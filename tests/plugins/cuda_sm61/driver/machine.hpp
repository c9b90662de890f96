// The emulated machine behind the entry points: who is stuck, what was called, what is alive. One lock for
// all.
#pragma once

#include "plugins/cuda_sm61/driver/result.hpp"
#include "tests/plugins/cuda_sm61/driver/address_space.hpp"
#include "tests/plugins/cuda_sm61/driver/fake_cuda.hpp"
#include "tests/plugins/cuda_sm61/driver/queues.hpp"

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace belay::fake_cuda {

using cuda::Result;

struct Machine {
  std::recursive_mutex mutex;
  Settings settings;
  Counts counts;
  std::vector<std::string> log;
  std::string launch_error;

  bool initialised = false;
  int contexts = 0;  // times the primary context is retained
  Result stuck = cuda::kSuccess;
  bool stuck_reported = false;
  AddressSpace memory;
  Queues queues;
  // By their addresses; a process that ends without giving them back ends with reset().
  std::map<void*, std::unique_ptr<char>> modules;
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::map<void*, std::unique_ptr<void, Free>> pinned;
};

// The one machine of the process; never destroyed, because plugins are closed at the end of a process, too.
Machine& machine();

// The context that is current on the calling thread.
bool& thread_has_context();

enum class Kind { kAnswers, kQueues };  // whether a call only queues work

// One call of an entry point: holds the lock, counts, and decides whether the call happens at all.
class Call {
 public:
  Call(const char* symbol, Kind kind, bool needs_context);

  // What the call answers without being done; kSuccess: go on.
  [[nodiscard]] Result verdict() const { return verdict_; }

  Machine& m;

 private:
  [[nodiscard]] Result judge(const char* symbol, Kind kind, bool needs_context);
  [[nodiscard]] bool is_to_fail(const char* symbol);

  std::lock_guard<std::recursive_mutex> lock_;
  Result verdict_;
};

}  // namespace belay::fake_cuda
