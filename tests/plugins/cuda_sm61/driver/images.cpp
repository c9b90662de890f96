// Images for a plugin that is built without NVIDIA's compiler: the emulated driver takes any, it has the
// kernels itself.
#include "plugins/cuda_sm61/images.hpp"

namespace belay::cuda {

std::span<const KernelImage> kernel_images() {
  static constexpr KernelImage kImages[] = {{"every", "emulated", "emulated"}};
  return kImages;
}

}  // namespace belay::cuda
