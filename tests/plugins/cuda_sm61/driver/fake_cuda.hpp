// How tests steer the emulated driver: a libcuda.so.1 whose devices run the plugin's kernels in the emulator.
// A program that links it finds it when the plugin opens "libcuda.so.1"; a child process finds it through
// LD_LIBRARY_PATH.
//
// Its memory is an address space of its own that no host code can touch: it opens only while the device
// works. Work is done as late as the driver may: at a synchronisation. A device error shows at the call after
// the one that caused it, and a sticky one for ever.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace belay::fake_cuda {

// What the machine is. Read when the driver is asked; a test sets it before it opens the plugin.
struct Settings {
  int devices = 1;
  int major = 6;
  int minor = 1;
  int version = 12020;
  int compute_mode = 0;
  std::uint64_t memory_bytes = std::uint64_t{1} << 30U;
  std::uint64_t others_bytes = 0;  // of it in use by other processes
  bool can_pin = true;
  int init_result = 0;
  int context_result = 0;
  int module_result = 0;

  // The call of this number, counted from 0 since reset_calls(), fails with this result; < 0: none does. A
  // sticky result of a call that queues work shows at the next call.
  std::int64_t fail_at = -1;
  int fail_with = 700;
  std::int64_t fail_times = 1;  // this call and the next ones
  std::string fail_symbol;      // when not empty, only calls of this entry point are counted for fail_at
  bool keep_log = false;
};

struct Counts {
  std::uint64_t calls = 0;     // of all entry points, since reset_calls()
  std::uint64_t matching = 0;  // of those that fail_at counts
  std::uint64_t launches = 0;
  std::uint64_t allocations = 0;       // of device memory
  std::uint64_t calls_when_stuck = 0;  // after a sticky error had been reported
  std::uint64_t live_allocations = 0;
  std::uint64_t live_bytes = 0;
  std::uint64_t live_pinned = 0;
  std::uint64_t live_objects = 0;  // streams, events, modules
};

class Control {
 public:
  virtual Settings& settings() = 0;
  [[nodiscard]] virtual Counts counts() = 0;
  virtual void reset_calls() = 0;
  // A new process, as it were: no context, no memory, no sticky error, default settings.
  virtual void reset() = 0;
  // Entry points in the order of their calls, while keep_log is set.
  [[nodiscard]] virtual std::vector<std::string> log() = 0;
  // What the emulator said of the last launch that it found wrong.
  [[nodiscard]] virtual std::string launch_error() = 0;

 protected:
  ~Control() = default;
};

}  // namespace belay::fake_cuda

// Exported beside the driver's entry points.
extern "C" belay::fake_cuda::Control& belay_fake_cuda();
