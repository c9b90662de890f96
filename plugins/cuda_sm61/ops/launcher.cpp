#include "plugins/cuda_sm61/ops/launcher.hpp"

namespace belay::cuda {

void Launcher::launch(KernelIndex kernel, unsigned threads, const Grid& grid, std::uint32_t shared_bytes,
                      void** arguments) {
  if (result_ != kSuccess || grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  constexpr std::int64_t kMostX = 0x7fffffff;
  constexpr std::int64_t kMostYZ = 65535;
  if (grid.x > kMostX || grid.y > kMostYZ || grid.z > kMostYZ) {
    result_ = kInvalidValue;
    return;
  }
  void** const no_extra = nullptr;
  result_ = device_.driver().call(&Api::launch, device_.kernels()[kernel], static_cast<unsigned>(grid.x),
                                  static_cast<unsigned>(grid.y), static_cast<unsigned>(grid.z), threads, 1U,
                                  1U, shared_bytes, stream_.handle(), arguments, no_extra);
}

}  // namespace belay::cuda
