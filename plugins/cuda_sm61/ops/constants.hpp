// Constants of ops in device memory of the plugin's own.
#pragma once

#include "plugins/cuda_sm61/device/device.hpp"

#include <belay/op.h>

#include <cstdint>

namespace belay::cuda {

// The bytes of constant `index` in layout 0, copied to the device; nothing when it is left out. Throws
// sdk::Error: INVALID_ARGUMENT when it has no data, OOM_DEVICE, DEVICE_LOST.
[[nodiscard]] DeviceMemory copy_of_constant(Device& device, const belay_op_t& op, std::uint64_t index,
                                            const char* name);

// Null for memory that is empty.
[[nodiscard]] inline const float* as_floats(const DeviceMemory& memory) {
  return reinterpret_cast<const float*>(memory.address());
}

}  // namespace belay::cuda
