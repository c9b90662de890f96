#include "core/monitoring/memory_use.hpp"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace belay::monitoring {

std::optional<std::uint64_t> rss_bytes() {
  std::ifstream statm("/proc/self/statm");  // in pages: all, resident, ...
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  const long page = ::sysconf(_SC_PAGESIZE);
  if (!(statm >> all >> resident) || page <= 0) return std::nullopt;
  return resident * static_cast<std::uint64_t>(page);
}

// Not getrusage's, which begins with the memory of whoever started this program.
std::optional<std::uint64_t> peak_rss_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    std::istringstream words(line);
    std::string name;
    std::uint64_t kib = 0;
    if (words >> name >> kib && name == "VmHWM:") return kib * 1024;
  }
  return std::nullopt;
}

}  // namespace belay::monitoring
