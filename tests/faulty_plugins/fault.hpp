// The fault that the settings of test.faulty ask for: which run fails, and how. Read once when the instance
// is opened; the count of runs is shared by all kernels of the instance.
#pragma once

#include <belay/cpp/plugin.hpp>

#include <atomic>
#include <cstdint>
#include <string_view>

namespace faulty {

namespace sdk = belay::sdk;

enum class How { kStatus, kThrow, kNan, kPartial };

// A setting that is a number. Throws sdk::Error for one that is none.
[[nodiscard]] std::uint64_t number_of(sdk::Host host, std::string_view key, std::uint64_t otherwise);

class Fault {
 public:
  // Throws sdk::Error for a setting that it does not know: a typo must not make a test pass.
  explicit Fault(sdk::Host host);

  // Counts a run of `op`; whether this is one that has to fail.
  [[nodiscard]] bool strikes(std::string_view op);
  // Does what was asked in place of a good run. `sound` computes the right result.
  belay_status_t commit(const belay_run_t& run, std::string_view op, belay_kernel_t& sound) const;

 private:
  static constexpr std::uint64_t kNever = UINT64_MAX;

  std::uint64_t fail_at_ =
      kNever;  // index of the first failing run, counted over the runs that fail_op lets through
  std::uint64_t fail_times_ = 1;  // how many in a row
  std::string_view fail_op_;      // empty: every op. Settings live as long as the host
  std::int32_t scope_ = BELAY_SCOPE_OP;
  How how_ = How::kStatus;
  std::atomic<std::uint64_t> runs_ = 0;
};

}  // namespace faulty
