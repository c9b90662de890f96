#include "tests/plugins/cuda_sm61/emulator/kernels.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

// NOLINTBEGIN(bugprone-macro-parentheses): names
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

namespace {

// Nothing that a test could report as its own failure: the program ends with a status of its own.
[[noreturn]] void refuse(const char* problem) {
  std::fprintf(stderr, "BELAY_EMULATOR_KERNELS: %s\n", problem);
  std::_Exit(kBadReplacement);
}

std::span<const Kernel> replacements() {
  const char* const path = std::getenv("BELAY_EMULATOR_KERNELS");
  if (path == nullptr) return {};
  void* const library = dlopen(path, RTLD_NOW);
  if (library == nullptr) refuse(dlerror());
  auto* const entry =
      reinterpret_cast<std::span<const Kernel> (*)()>(dlsym(library, "belay_emulator_replacements"));
  if (entry == nullptr) refuse(dlerror());
  return entry();
}

const Kernel* find(std::span<const Kernel> among, std::string_view name) {
  const auto found =
      std::find_if(among.begin(), among.end(), [&](const Kernel& kernel) { return kernel.name == name; });
  return found == among.end() || found->run == nullptr ? nullptr : &*found;
}

}  // namespace

const Kernel* find_kernel(std::string_view name) {
  static const std::span<const Kernel> first = replacements();
  const Kernel* const replacement = find(first, name);
  return replacement != nullptr ? replacement : find(kernels(), name);
}

}  // namespace belay::emulator
// NOLINTEND(bugprone-macro-parentheses)
