// The host that the kernel tests offer to a plugin: memory that is counted, and parallel_for in two manners
// that must give bitwise the same result. Used by one test thread; what it offers may be called from the
// threads that it makes.
#pragma once

#include <belay/host.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <string>

namespace belay::kernel_tests {

enum class Threading {
  kSerial,      // one range on the calling thread
  kManyRanges,  // odd ranges, as small as `grain` allows, on kWorkers threads, in an order that nobody
                // promised
};

class TestHost {
 public:
  static constexpr std::uint32_t kWorkers = 3;

  TestHost();
  TestHost(const TestHost&) = delete;
  TestHost& operator=(const TestHost&) = delete;

  [[nodiscard]] const belay_host_t* table() const { return &table_; }

  Threading threading = Threading::kSerial;
  std::map<std::string, std::string, std::less<>> settings;  // what `config` answers

  // Counted since the last reset().
  void reset();
  [[nodiscard]] std::uint64_t allocations() const { return allocations_; }
  [[nodiscard]] std::uint64_t live_bytes() const { return live_bytes_; }
  [[nodiscard]] bool nested_parallel_for() const { return nested_; }
  [[nodiscard]] bool changed_float_state() const { return changed_float_state_; }

 private:
  static void* allocate(void* context, std::uint64_t bytes, std::uint64_t alignment, belay_str_t tag);
  static void release(void* context, void* memory, std::uint64_t bytes);
  static belay_status_t parallel_for(void* context, std::uint64_t count, std::uint64_t grain,
                                     belay_range_fn body, void* user);
  static belay_status_t config(void* context, belay_str_t key, belay_str_t* value);
  static std::uint32_t has_cpu_feature(void* context, belay_str_t name);

  void run_range(belay_range_fn body, void* user, std::uint64_t begin, std::uint64_t end,
                 std::uint32_t worker);
  void run_many(std::uint64_t count, std::uint64_t grain, belay_range_fn body, void* user);

  belay_host_t table_{};
  std::atomic<std::uint64_t> allocations_ = 0;
  std::atomic<std::uint64_t> live_bytes_ = 0;
  std::atomic<bool> nested_ = false;
  std::atomic<bool> changed_float_state_ = false;
};

// Whether this CPU has a feature of that name and the operating system enables it; false for a name not known
// here.
[[nodiscard]] bool cpu_has(std::string_view feature);

// Rounding mode, flush-to-zero and exception masks of the calling thread.
[[nodiscard]] std::uint32_t float_state();

}  // namespace belay::kernel_tests
