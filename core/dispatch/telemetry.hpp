// What a plugin's device says of itself (belay.telemetry/1), copied out of the plugin's memory.
#pragma once

#include <belay/ext/telemetry.h>

#include <optional>
#include <string>
#include <vector>

namespace belay::dispatch {

struct Reading {
  std::string name;             // "memory_used_bytes"
  std::optional<double> value;  // nothing: the device does not tell
};

// Empty when the plugin has nothing to say or fails; at most 64. Takes up to 1 ms.
[[nodiscard]] std::vector<Reading> read_telemetry(const belay_telemetry_t& table, belay_instance_t* instance);

}  // namespace belay::dispatch
