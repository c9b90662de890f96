// Signs that memory is short: what the machine has left, what this process lost to swap, what it waited for.
// Any thread; a value that the system does not say is absent, never 0.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace belay::monitoring {

struct Pressure {
  std::optional<std::uint64_t> available_bytes;  // of the machine
  std::optional<std::uint64_t> swap_bytes;       // of this process
  std::optional<std::uint64_t> major_faults;     // pages that this process waited for a disk for, so far
  std::optional<std::uint64_t> disk_read_bytes;  // that this process caused, so far
  std::optional<double> stall_percent;           // of the last 10 s in which some task waited for memory
};

// Pressure::available_bytes alone, without allocating: for a look between two tokens.
[[nodiscard]] std::optional<std::uint64_t> available_bytes();

// `proc` is /proc; tests give a folder of their own.
[[nodiscard]] Pressure read_pressure(const std::filesystem::path& proc = "/proc");

}  // namespace belay::monitoring
