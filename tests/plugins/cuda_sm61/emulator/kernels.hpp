// The kernels of plugins/cuda_sm61, compiled for the emulator, by name: what the emulated driver finds in a
// module.
#pragma once

#include "tests/plugins/cuda_sm61/emulator/launch.hpp"

#include <span>
#include <string_view>

namespace belay::emulator {

struct Kernel {
  std::string_view name;
  Thunk run;
  std::uint32_t threads;     // a block has this many
  std::size_t params_bytes;  // of its one argument
};

[[nodiscard]] std::span<const Kernel> kernels();

constexpr int kBadReplacement = 99;  // exit status of a program whose BELAY_EMULATOR_KERNELS is of no use
// Null when there is none of that name. Kernels of the library that the environment's BELAY_EMULATOR_KERNELS
// names come first: that is how the tests of planted bugs put a wrong kernel in the place of the right one.
[[nodiscard]] const Kernel* find_kernel(std::string_view name);

}  // namespace belay::emulator
