#include "core/threading/affinity.hpp"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace belay::threading {

CpuMask thread_affinity() {
  CpuMask mask;
  const long bytes = ::syscall(SYS_sched_getaffinity, 0, sizeof mask.words, mask.words.data());
  if (bytes > 0) mask.used = static_cast<std::size_t>(bytes) / sizeof(unsigned long);
  return mask;
}

bool set_thread_affinity(const CpuMask& mask) {
  if (mask.empty()) return false;
  return ::syscall(SYS_sched_setaffinity, 0, mask.used * sizeof(unsigned long), mask.words.data()) == 0;
}

bool pin_thread(std::uint32_t cpu) {
  if (cpu >= CpuMask::kMostCpus) return false;
  CpuMask mask;
  mask.used = cpu / CpuMask::kBitsPerWord + 1;
  mask.words[cpu / CpuMask::kBitsPerWord] = 1UL << (cpu % CpuMask::kBitsPerWord);
  return set_thread_affinity(mask);
}

}  // namespace belay::threading
