// Which call of the device fails, and how (README.md). Counted over all of an instance.
#pragma once

#include <belay/cpp/plugin.hpp>

#include <cstdint>
#include <string_view>

namespace test_device {

namespace sdk = belay::sdk;

class Fault {
 public:
  explicit Fault(sdk::Host host);

  // Before a call: BELAY_OK, or what it is to return.
  [[nodiscard]] belay_status_t strike(belay_error_t* error);
  // The same before a run, which may go wrong without a word, or have too many tokens.
  [[nodiscard]] belay_status_t strike_run(std::uint64_t tokens, belay_error_t* error);
  // The same before a wait, which says what went wrong before.
  [[nodiscard]] belay_status_t strike_wait(belay_error_t* error);

  [[nodiscard]] std::uint64_t calls() const { return calls_; }
  [[nodiscard]] std::uint64_t waits() const { return waits_; }

 private:
  static constexpr std::uint64_t kNever = UINT64_MAX;

  static void read(sdk::Host host, const char* key, std::uint64_t& number);
  [[nodiscard]] bool is_due() { return calls_++ == at_; }
  [[nodiscard]] belay_status_t fail(belay_error_t* error);

  std::uint64_t at_ = kNever;
  std::uint64_t most_tokens_ = kNever;
  std::string_view how_;
  std::uint64_t calls_ = 0;
  std::uint64_t waits_ = 0;
  bool lost_ = false;
};

}  // namespace test_device
