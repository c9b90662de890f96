// The compiled kernels that the build embeds, one image a family of kernels/*.cu. The plugin's build
// generates the definition (an image for sm_61 and PTX for compute_61 of each family); tests link one of
// their own, whose images are only names, because the emulated driver brings the kernels with it.
#pragma once

#include <span>

namespace belay::cuda {

struct KernelImage {
  const char* family;  // "pointwise"
  const void* sass;    // a cubin for exactly sm_61
  const void* ptx;     // terminated text for compute_61, compiled by the driver of a newer device
};

[[nodiscard]] std::span<const KernelImage> kernel_images();

}  // namespace belay::cuda
