#include "core/monitoring/memory_use.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

namespace belay::monitoring {

std::optional<std::uint64_t> rss_bytes() {
  std::ifstream statm("/proc/self/statm");  // in pages: all, resident, ...
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  const long page = ::sysconf(_SC_PAGESIZE);
  if (!(statm >> all >> resident) || page <= 0) return std::nullopt;
  return resident * static_cast<std::uint64_t>(page);
}

std::optional<std::uint64_t> peak_rss_bytes() {
  rusage use = {};
  if (::getrusage(RUSAGE_SELF, &use) != 0 || use.ru_maxrss <= 0) return std::nullopt;
  return static_cast<std::uint64_t>(use.ru_maxrss) * 1024;  // Linux counts in KiB
}

}  // namespace belay::monitoring
