// On which CPUs the calling thread may run. Failures leave things as they are: pinning is a wish.
#pragma once

#include <cstdint>
#include <vector>

namespace belay::threading {

// The calling thread's CPUs as the system's own bits; empty when they cannot be read.
using CpuMask = std::vector<unsigned long>;

[[nodiscard]] CpuMask thread_affinity();
bool set_thread_affinity(const CpuMask& mask);  // false: not set, or an empty mask
bool pin_thread(std::uint32_t cpu);             // false: not pinned

}  // namespace belay::threading
