// On which CPUs the calling thread may run. Failures leave things as they are: pinning is a wish.
#pragma once

#include <array>
#include <climits>
#include <cstddef>
#include <cstdint>

namespace belay::threading {

// CPUs as the system's own bits, without memory of its own: a mask is taken for every step.
struct CpuMask {
  static constexpr std::size_t kBitsPerWord = sizeof(unsigned long) * CHAR_BIT;
  static constexpr std::size_t kMostCpus = 65536;

  std::array<unsigned long, kMostCpus / kBitsPerWord> words = {};
  std::size_t used = 0;  // words; 0: empty

  [[nodiscard]] bool empty() const { return used == 0; }
  bool operator==(const CpuMask&) const = default;
};

// Empty when it cannot be read.
[[nodiscard]] CpuMask thread_affinity();
bool set_thread_affinity(const CpuMask& mask);  // false: not set, or an empty mask
bool pin_thread(std::uint32_t cpu);             // false: not pinned

}  // namespace belay::threading
