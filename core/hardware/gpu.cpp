#include "core/hardware/gpu.hpp"

#include "core/hardware/profile_toml.hpp"

#include <algorithm>
#include <array>

namespace belay::hardware {

bool gpu_driver_present(const Source& source) {
  // The device nodes, the kernel module, the bridge of Windows' Linux subsystem, and the integrated GPU of a
  // Jetson.
  constexpr std::array kSigns = {"/dev/nvidiactl", "/dev/nvidia0", "/proc/driver/nvidia", "/dev/dxg",
                                 "/dev/nvhost-ctrl-gpu"};
  return std::any_of(kSigns.begin(), kSigns.end(), [&](const char* path) { return source.exists(path); });
}

void probe_gpus(const Source& source, bool ask_without_driver, Profile& profile) {
  if (!ask_without_driver && !gpu_driver_present(source)) {
    profile.gpu_reason = "NO_DRIVER";
    profile.gpu_detail = "no NVIDIA driver is installed: /dev/nvidiactl does not exist";
    return;
  }
  auto text = source.ask_gpus();
  if (!text.ok()) {
    profile.gpu_detail = text.error().message;
    return;
  }
  auto answer = read_profile(*text, "answer of the GPU probe");
  if (!answer.ok()) {
    profile.gpu_detail = answer.error().message;
    return;
  }
  profile.gpus = std::move(answer->gpus);
  profile.gpu_reason = std::move(answer->gpu_reason);
  profile.gpu_detail = std::move(answer->gpu_detail);
}

}  // namespace belay::hardware
