// Cores, hyper-threads and caches of a machine. The only room that uses hwloc, and topology_linux.cpp its
// only file.
#pragma once

#include "core/hardware/profile.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace belay::hardware {

// One physical core with the caches that it sees.
struct Core {
  Known<std::uint64_t> l1d_bytes;
  Known<std::uint64_t> l2_bytes;
  Known<std::uint64_t> l3_bytes;
};

struct Topology {
  std::vector<Core> cores;  // one per CPU when the system does not tell which share a core
  bool cores_known = true;
  std::vector<LogicalCpu> cpus;  // LogicalCpu::core counts through `cores`; never empty
};

// The running machine's, or nothing when the system does not tell. Not while other threads read the
// environment: hwloc is told by a variable to load no plugins (they cost 2 ms warm, 37 ms cold, and open GPU
// libraries).
[[nodiscard]] std::optional<Topology> read_topology();

// A recorded one, from hwloc's XML.
[[nodiscard]] std::optional<Topology> read_topology_xml(std::string_view xml);

}  // namespace belay::hardware
