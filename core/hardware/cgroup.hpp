// Limits that control groups, versions 1 and 2, put on this process. The tightest of the process's group and
// all groups above it counts. Pure over a Source; what cannot be read or parsed limits nothing.
#pragma once

#include "core/hardware/source.hpp"

#include <cstdint>
#include <optional>

namespace belay::hardware {

struct CgroupLimits {
  std::optional<std::uint32_t> cpus;          // quota / period, rounded up, at least 1
  std::optional<std::uint64_t> memory_bytes;  // of memory.max, memory.high and memory.limit_in_bytes
};

[[nodiscard]] CgroupLimits read_cgroup_limits(const Source& source);

}  // namespace belay::hardware
