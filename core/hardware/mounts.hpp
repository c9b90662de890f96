// The mounted file systems, from /proc/self/mountinfo.
#pragma once

#include "core/hardware/source.hpp"

#include <string>
#include <vector>

namespace belay::hardware {

struct Mount {
  std::string device;   // "259:2"
  std::string root;     // the folder of the file system that is mounted
  std::string point;    // where
  std::string type;     // "ext4", "cgroup2"
  std::string source;   // "/dev/nvme0n1p2"
  std::string options;  // of the file system: "rw,cpu,cpuacct"
};

// Lines that do not parse are left out.
[[nodiscard]] std::vector<Mount> read_mounts(const Source& source);

}  // namespace belay::hardware
