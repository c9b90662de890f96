// The plugin on one device: belay.compute/1 over the rows of ops/, belay.memory/1 and belay.telemetry/1 over
// device/.
#pragma once

#include "plugins/cuda_sm61/device/device.hpp"
#include "plugins/cuda_sm61/ops/decoder_layer.hpp"
#include "plugins/cuda_sm61/ops/ops.hpp"

#include <belay/cpp/plugin.hpp>

#include <cstdint>
#include <string_view>

namespace belay::cuda {

class Instance {
 public:
  // Throws sdk::Error with the reason why the device cannot be used: NO_DRIVER, DRIVER_TOO_OLD, NO_DEVICE,
  // DEVICE_BUSY, NO_KERNEL_IMAGE, OOM_DEVICE.
  Instance(sdk::Host host, const belay_open_t& options);

  static belay_status_t probe(sdk::Host host, belay_device_t* devices, std::uint64_t capacity,
                              std::uint64_t* count, belay_error_t* error);

  [[nodiscard]] sdk::Support supports(const belay_op_t& op) const;
  [[nodiscard]] belay_packed_t packed(const belay_op_t& op) const;
  void pack(const belay_op_t& op, void* buffer, std::uint64_t bytes) const;
  [[nodiscard]] sdk::KernelPtr bind(const belay_op_t& op, const void* buffer, std::uint64_t bytes);
  [[nodiscard]] sdk::KernelPtr bind_device(const belay_op_t& op, std::uint64_t buffer, std::uint64_t offset,
                                           std::uint64_t bytes);
  [[nodiscard]] sdk::KernelPtr fuse(const sdk::Sequence& steps, std::uint64_t& taken) {
    return join_decoder_layer(device_, steps, taken);
  }

  [[nodiscard]] const void* get_interface(std::string_view id);
  belay_status_t drain(std::uint64_t deadline_ns, belay_error_t* error);

  [[nodiscard]] Device& device() { return device_; }
  [[nodiscard]] const sdk::Host& host() const { return host_; }

  static constexpr std::uint64_t kMostPinned = std::uint64_t{256}
                                               << 20U;  // of one buffer; systems lock a share only

 private:
  sdk::Host host_;
  Device device_;
};

}  // namespace belay::cuda
