#include "tests/plugins/cuda_sm61/emulator/kernels.hpp"

#include <algorithm>

#define X(name, Params, threads) extern "C" void name(Params);
#include "plugins/cuda_sm61/kernels/list.h"

namespace belay::emulator {

std::span<const Kernel> kernels() {
  static constexpr Kernel kKernels[] = {
#define X(name, Params, threads) {#name, &ThunkOf<&name>::run, threads, sizeof(Params)},
#include "plugins/cuda_sm61/kernels/list.h"
  };
  return kKernels;
}

const Kernel* find_kernel(std::string_view name) {
  const auto all = kernels();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Kernel& kernel) { return kernel.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace belay::emulator
