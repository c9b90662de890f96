// The services that this process offers its plugins: one belay_host_t a plugin, so that log lines and
// settings carry its id. Lives as long as the plugins do; the tables never move. `table` is for one thread,
// the services for any.
#pragma once

#include "core/hardware/profile.hpp"
#include "core/monitoring/trace.hpp"

#include <belay/host.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace belay::registry {

// Where the services get their substance. What is left empty works plainly: all on the calling thread, never
// cancelled, no CPU feature, no setting, no trace.
struct HostCallbacks {
  // As belay_host_t describes them; `threads` comes first.
  belay_status_t (*parallel_for)(void* threads, std::uint64_t count, std::uint64_t grain, belay_range_fn body,
                                 void* user) = nullptr;
  std::uint32_t (*max_concurrency)(void* threads) = nullptr;
  void* threads = nullptr;
  const std::atomic<bool>* cancelled = nullptr;
  std::vector<std::string> cpu_features;                   // usable ones, by GCC's names
  std::map<std::string, std::string, std::less<>> config;  // "plugin_id.key" to the user's value
  monitoring::Trace* trace = nullptr;                      // without one the entries of the trace are NULL
};

// The features of a profile that a plugin may use; none when they are unknown.
[[nodiscard]] std::vector<std::string> usable_features(const hardware::Profile& profile);

class HostServices {
 public:
  explicit HostServices(HostCallbacks callbacks);
  HostServices(const HostServices&) = delete;
  HostServices& operator=(const HostServices&) = delete;
  ~HostServices();

  // The table of a plugin; the same one for the same id.
  [[nodiscard]] const belay_host_t& table(std::string_view plugin_id);
  // Bytes that a plugin got from `allocate` and did not give back.
  [[nodiscard]] std::uint64_t bytes_in_use(std::string_view plugin_id) const;

 private:
  struct Context;
  friend struct Services;

  [[nodiscard]] const Context* find(std::string_view plugin_id) const;

  HostCallbacks callbacks_;
  std::vector<std::unique_ptr<Context>> contexts_;
};

}  // namespace belay::registry
