// One selected plugin as dispatch sees it: opened when it is first needed, counted, and taken out of use when
// it fails too often. Shared by all graphs of an engine; one thread at a time.
#pragma once

#include "core/base/status.hpp"
#include "core/dispatch/device.hpp"
#include "core/dispatch/failure.hpp"
#include "core/dispatch/telemetry.hpp"

#include <belay/ext/compute.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace belay::dispatch {

// What an opened plugin offers; lives until the process ends.
struct Compute {
  const belay_compute_t* table = nullptr;
  belay_instance_t* instance = nullptr;
  const belay_memory_t* memory = nullptr;  // of a device that has its own
  const belay_telemetry_t* telemetry = nullptr;
};

using OpenCompute = std::function<Result<Compute>()>;

class Backend {
 public:
  // `numerics` is what this plugin's act_q8 optimization allows: BELAY_NUMERICS_*.
  Backend(std::string id, std::int32_t numerics, OpenCompute open)
      : id_(std::move(id)), numerics_(numerics), open_(std::move(open)) {}

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] std::int32_t numerics() const { return numerics_; }

  // The plugin's functions, opening it at the first call. A failure to open is remembered: it is not tried
  // again.
  [[nodiscard]] Result<Compute> compute();
  // The memory of its device; null for one that computes in the host's, and before it is opened.
  [[nodiscard]] Device* device() const { return device_.get(); }

  // What its device says of itself at the moment; nothing from one that is not in use.
  [[nodiscard]] std::vector<Reading> readings() const;

  // False once the breaker opened: three failures within a thousand calls, or one that took more than the op
  // with it.
  [[nodiscard]] bool healthy() const { return healthy_; }
  // Why it is not healthy, or could not be opened.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

  void count_success() { ++calls_; }
  void count_failure(const Failure& failure);

  [[nodiscard]] std::uint64_t calls() const { return calls_; }

 private:
  static constexpr std::uint64_t kWindowCalls = 1000;
  static constexpr std::uint32_t kFailuresAllowed = 3;

  std::string id_;
  std::int32_t numerics_;
  OpenCompute open_;
  std::optional<Compute> compute_;
  std::unique_ptr<Device> device_;
  bool healthy_ = true;
  std::string trouble_;
  std::uint64_t calls_ = 0;         // that succeeded
  std::uint64_t window_start_ = 0;  // calls_ at the first failure that still counts
  std::uint32_t failures_ = 0;      // within the window
};

}  // namespace belay::dispatch
