#include "plugins/cuda_sm61/device/kernels.hpp"

#include "plugins/cuda_sm61/images.hpp"

#include <belay/cpp/guard.hpp>

namespace belay::cuda {
namespace {

constexpr const char* kNames[] = {
#define X(name, Params, threads) #name,
#include "plugins/cuda_sm61/kernels/list.h"
};

}  // namespace

LoadedKernels::LoadedKernels(const Context& context, const Driver& driver, ImageKind kind)
    : context_(context), driver_(driver) {
  try {
    load(kind);
  } catch (...) {
    unload();
    throw;
  }
}

LoadedKernels::~LoadedKernels() { unload(); }

void LoadedKernels::load(ImageKind kind) {
  require(context_.enter(), "loading the kernels");
  for (const KernelImage& image : kernel_images()) {
    const void* code = kind == ImageKind::kSass ? image.sass : image.ptx;
    ModuleHandle module = nullptr;
    if (const Result loaded = driver_.call(&Api::load_module, &module, code); loaded != kSuccess) {
      throw sdk::Error(status_of(loaded), "loading the kernels of %s (%s): CUDA error %d, %s", image.family,
                       kind == ImageKind::kSass ? "sm_61" : "PTX", loaded, name_of(loaded))
          .with_native(loaded);
    }
    modules_.push_back(module);
  }
  for (std::size_t i = 0; i < kKernelCount; ++i) functions_[i] = find(kNames[i]);
}

void LoadedKernels::unload() {
  if (context_.enter() != kSuccess) return;
  for (ModuleHandle module : modules_) (void)driver_.call(&Api::unload_module, module);
}

FunctionHandle LoadedKernels::find(const char* name) const {
  for (ModuleHandle module : modules_) {
    FunctionHandle function = nullptr;
    const Result found = driver_.call(&Api::find_function, &function, module, name);
    if (found == kSuccess) return function;
    if (status_of(found) != BELAY_NO_KERNEL_IMAGE)
      require(found, name);  // not found here: perhaps in another
  }
  throw sdk::Error(BELAY_NO_KERNEL_IMAGE, "no image has the kernel %s", name);
}

}  // namespace belay::cuda
