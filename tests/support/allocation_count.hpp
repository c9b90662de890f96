// Counts the calls of operator new in this test program.
#pragma once

#include <cstdint>

namespace belay::test {

[[nodiscard]] std::uint64_t allocation_count();

}  // namespace belay::test
