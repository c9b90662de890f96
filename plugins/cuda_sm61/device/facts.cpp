#include "plugins/cuda_sm61/device/facts.hpp"

#include <array>

namespace belay::cuda {
namespace {

int required_attribute(const Driver& driver, DeviceNumber device, Attribute which, const char* what) {
  int value = 0;
  require(driver.call(&Api::device_attribute, &value, static_cast<int>(which), device), what);
  return value;
}

// 0 where the driver does not tell.
int attribute(const Driver& driver, DeviceNumber device, Attribute which) {
  int value = 0;
  return driver.call(&Api::device_attribute, &value, static_cast<int>(which), device) == kSuccess ? value : 0;
}

}  // namespace

int device_count(const Driver& driver) {
  int count = 0;
  require(driver.call(&Api::device_count, &count), "counting the devices");
  return count;
}

DeviceFacts device_facts(const Driver& driver, int ordinal) {
  DeviceFacts facts;
  require(driver.call(&Api::device, &facts.number, ordinal), "asking for a device");
  std::array<char, 256> text{};
  const int room = static_cast<int>(text.size()) - 1;
  if (driver.call(&Api::device_name, text.data(), room, facts.number) == kSuccess) facts.name = text.data();
  text = {};
  if (driver.call(&Api::device_bus_id, text.data(), room, facts.number) == kSuccess)
    facts.bus_id = text.data();
  constexpr const char* kWhat = "asking for the compute capability";
  facts.capability = {required_attribute(driver, facts.number, kComputeMajor, kWhat),
                      required_attribute(driver, facts.number, kComputeMinor, kWhat)};
  facts.multiprocessors = attribute(driver, facts.number, kMultiprocessors);
  facts.clock_khz = attribute(driver, facts.number, kClockKhz);
  facts.prohibited = attribute(driver, facts.number, kComputeMode) == kComputeModeProhibited;
  facts.run_time_limit = attribute(driver, facts.number, kRunTimeLimit) != 0;
  require(driver.call(&Api::device_memory, &facts.memory_bytes, facts.number),
          "asking for the device's memory");
  return facts;
}

std::string reason_against(const DeviceFacts& facts) {
  const std::string capability =
      std::to_string(facts.capability.major) + "." + std::to_string(facts.capability.minor);
  if (image_for(facts.capability) == ImageKind::kNone) {
    return "its compute capability is " + capability + "; there are kernels for 6.1 and newer";
  }
  if (facts.prohibited) return "its compute mode is set to prohibited";
  return {};
}

}  // namespace belay::cuda
