#include "plugins/cuda_sm61/device/context.hpp"

namespace belay::cuda {

Context::Context(const Driver& driver, DeviceNumber device) : driver_(driver), device_(device) {
  require(driver.call(&Api::retain_context, &handle_, device), "making the device's context");
  if (const Result entered = enter(); entered != kSuccess) {
    (void)driver.call(&Api::release_context, device_);
    require(entered, "entering the device's context");
  }
}

Context::~Context() { (void)driver_.call(&Api::release_context, device_); }

}  // namespace belay::cuda
