// Built together with one .cu into the library that BELAY_EMULATOR_KERNELS names: the kernels that are in
// that .cu.
#include "tests/plugins/cuda_sm61/emulator/kernels.hpp"

// NOLINTBEGIN(bugprone-macro-parentheses): names
#define X(name, Params, threads) extern "C" [[gnu::weak]] void name(Params);
#include "plugins/cuda_sm61/kernels/list.h"

extern "C" [[gnu::visibility("default")]] std::span<const belay::emulator::Kernel>
belay_emulator_replacements() {
  using belay::emulator::Kernel;
  using belay::emulator::ThunkOf;
  static const Kernel replacements[] = {
#define X(name, Params, threads) \
  {#name, &name == nullptr ? nullptr : &ThunkOf<&name>::run, threads, sizeof(Params)},
#include "plugins/cuda_sm61/kernels/list.h"
  };
  return replacements;
}
// NOLINTEND(bugprone-macro-parentheses)
