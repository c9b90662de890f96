// The ladder: ways to read, best first. A file is read by the best one that works for it.
#pragma once

#include <cstdint>
#include <string_view>

namespace belay::nvme {

enum class Rung : std::uint8_t { kRegistered, kRing, kPool, kBuffered };

// For people; literals.
[[nodiscard]] constexpr std::string_view method_of(Rung rung) {
  switch (rung) {
    case Rung::kRegistered:
      return "io_uring, registered buffers, O_DIRECT";
    case Rung::kRing:
      return "io_uring, O_DIRECT";
    case Rung::kPool:
      return "pread on 8 threads, O_DIRECT";
    case Rung::kBuffered:
      break;
  }
  return "pread on 8 threads, page cache dropped behind";
}

[[nodiscard]] constexpr Rung below(Rung rung) {
  return rung == Rung::kBuffered ? rung : static_cast<Rung>(static_cast<std::uint8_t>(rung) + 1);
}

[[nodiscard]] constexpr bool on_ring(Rung rung) { return rung <= Rung::kRing; }

}  // namespace belay::nvme
