// Which GPUs a machine has. The driver's library is opened only by describe_gpus(), in a process of its own:
// a crash or a hang of a driver, or a started CUDA, must not be the host's.
#pragma once

#include "core/hardware/profile.hpp"
#include "core/hardware/source.hpp"

#include <filesystem>
#include <string>

namespace belay::hardware {

// For the child only: opens NVIDIA's driver library, asks it, and answers in the TOML of write_profile().
// `pci_devices`: the folder in which the kernel describes them.
[[nodiscard]] std::string describe_gpus(const std::string& library = "libcuda.so.1",
                                        const std::filesystem::path& pci_devices = "/sys/bus/pci/devices");

// Whether some file says that an NVIDIA driver is installed; costs microseconds.
[[nodiscard]] bool gpu_driver_present(const Source& source);

// For the host: fills gpus, gpu_reason and gpu_detail from a child's answer.
void probe_gpus(const Source& source, bool ask_without_driver, Profile& profile);

}  // namespace belay::hardware
