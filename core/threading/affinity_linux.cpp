#include "core/threading/affinity.hpp"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

namespace belay::threading {
namespace {

constexpr std::size_t kBitsPerWord = sizeof(unsigned long) * CHAR_BIT;

}  // namespace

CpuMask thread_affinity() {
  // The kernel refuses a mask that is shorter than its own.
  for (std::size_t cpus = 1024; cpus <= 65536; cpus *= 4) {
    CpuMask mask(cpus / kBitsPerWord, 0);
    const long bytes = ::syscall(SYS_sched_getaffinity, 0, mask.size() * sizeof(unsigned long), mask.data());
    if (bytes > 0) {
      mask.resize(static_cast<std::size_t>(bytes) / sizeof(unsigned long));
      return mask;
    }
    if (errno != EINVAL) break;
  }
  return {};
}

bool set_thread_affinity(const CpuMask& mask) {
  if (mask.empty()) return false;
  return ::syscall(SYS_sched_setaffinity, 0, mask.size() * sizeof(unsigned long), mask.data()) == 0;
}

bool pin_thread(std::uint32_t cpu) {
  CpuMask mask(cpu / kBitsPerWord + 1, 0);
  mask[cpu / kBitsPerWord] = 1UL << (cpu % kBitsPerWord);
  return set_thread_affinity(mask);
}

}  // namespace belay::threading
