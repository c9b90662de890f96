// The plugin's kernels by name and by the parameters that each takes, from kernels/list.h, and as the driver
// knows them once a device is open.
#pragma once

#include "plugins/cuda_sm61/device/context.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

// The headers of all parameters, outside of any namespace.
#define X(name, Params, threads)
#include "plugins/cuda_sm61/kernels/list.h"

namespace belay::cuda {

enum class KernelIndex : std::uint32_t {
#define X(name, Params, threads) name,
#include "plugins/cuda_sm61/kernels/list.h"
  kCount
};
inline constexpr std::size_t kKernelCount = static_cast<std::size_t>(KernelIndex::kCount);

// A kernel that takes a `Params`: launch() accepts nothing else for it.
template <class Params>
struct KernelOf {
  KernelIndex index;
  unsigned threads;  // of a block
};

namespace kernels {
#define X(name, Params, threads) inline constexpr KernelOf<Params> name{KernelIndex::name, threads};
#include "plugins/cuda_sm61/kernels/list.h"
}  // namespace kernels

// Every image loaded and every kernel found, so that what is missing shows when the device is opened.
// Immutable.
class LoadedKernels {
 public:
  // Throws sdk::Error: NO_KERNEL_IMAGE, DRIVER_TOO_OLD, OOM_DEVICE.
  LoadedKernels(const Context& context, const Driver& driver, ImageKind kind);
  ~LoadedKernels();
  LoadedKernels(const LoadedKernels&) = delete;
  LoadedKernels& operator=(const LoadedKernels&) = delete;

  [[nodiscard]] FunctionHandle operator[](KernelIndex kernel) const {
    return functions_[static_cast<std::size_t>(kernel)];
  }

 private:
  void load(ImageKind kind);
  void unload();
  [[nodiscard]] FunctionHandle find(const char* name) const;

  const Context& context_;
  const Driver& driver_;
  std::vector<ModuleHandle> modules_;
  std::array<FunctionHandle, kKernelCount> functions_{};
};

}  // namespace belay::cuda
