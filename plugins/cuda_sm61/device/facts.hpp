// What the driver says of a device, and what follows from it: may it be used, and with which kernels.
#pragma once

#include "plugins/cuda_sm61/driver/driver.hpp"

#include <cstddef>
#include <string>

namespace belay::cuda {

struct Capability {
  int major = 0;
  int minor = 0;
};

struct DeviceFacts {
  DeviceNumber number = 0;
  std::string name;
  std::string bus_id;  // "0000:01:00.0"
  Capability capability;
  int multiprocessors = 0;
  int clock_khz = 0;        // highest
  bool prohibited = false;  // by its compute mode
  bool run_time_limit = false;
  std::size_t memory_bytes = 0;
};

// Throws sdk::Error when the driver does not answer.
[[nodiscard]] int device_count(const Driver& driver);
[[nodiscard]] DeviceFacts device_facts(const Driver& driver, int ordinal);

enum class ImageKind { kNone, kSass, kPtx };

// By the capability alone, never by the driver's version: what 6.1 runs natively, newer devices compile. 6.0
// and older lack the dp4a instruction.
[[nodiscard]] constexpr ImageKind image_for(Capability capability) {
  if (capability.major == 6 && capability.minor == 1) return ImageKind::kSass;
  const bool newer = capability.major > 6 || (capability.major == 6 && capability.minor > 1);
  return newer ? ImageKind::kPtx : ImageKind::kNone;
}

// Why the device cannot be used, or empty.
[[nodiscard]] std::string reason_against(const DeviceFacts& facts);

}  // namespace belay::cuda
