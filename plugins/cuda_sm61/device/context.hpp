// The device's primary context, which all users of the device in this process share. Current on a thread for
// the time of a Use; other plugins may set another in between.
#pragma once

#include "plugins/cuda_sm61/device/facts.hpp"

namespace belay::cuda {

class Context {
 public:
  // Throws sdk::Error: DEVICE_BUSY, OOM_DEVICE, ...
  Context(const Driver& driver, DeviceNumber device);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // Makes it current on the calling thread.
  [[nodiscard]] Result enter() const { return driver_.call(&Api::set_context, handle_); }

 private:
  const Driver& driver_;
  DeviceNumber device_;
  ContextHandle handle_ = nullptr;
};

}  // namespace belay::cuda
