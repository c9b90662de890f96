#include "core/monitoring/memory_use.hpp"

#include <sys/resource.h>

namespace belay::monitoring {

std::optional<std::uint64_t> peak_rss_bytes() {
  rusage use = {};
  if (::getrusage(RUSAGE_SELF, &use) != 0 || use.ru_maxrss <= 0) return std::nullopt;
  return static_cast<std::uint64_t>(use.ru_maxrss) * 1024;  // Linux counts in KiB
}

}  // namespace belay::monitoring
