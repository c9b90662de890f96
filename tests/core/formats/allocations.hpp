// Counts what operator new hands out in this test program.
#pragma once

#include <cstdint>

namespace belay::test {

// Bytes asked for since the last reset, whether freed again or not.
[[nodiscard]] std::uint64_t allocated_bytes();
void reset_allocated_bytes();

}  // namespace belay::test
