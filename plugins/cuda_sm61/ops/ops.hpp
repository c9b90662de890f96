// The operators of this plugin: one row each, found by id. supports, packed_bytes and pack are pure and may
// be called from any thread.
#pragma once

#include "plugins/cuda_sm61/device/device.hpp"

#include <belay/cpp/compute.hpp>
#include <belay/cpp/host.hpp>

#include <cstdint>
#include <string_view>

namespace belay::cuda {

// Packed constants: in host memory, or on the device already, or neither: then they are packed from the op's
// constants.
struct Packed {
  const void* host = nullptr;
  DevicePointer device = 0;
};

struct OpRow {
  std::string_view id;
  // Fills answer.cost_ns, or says no with a reason.
  bool (*supports)(const belay_op_t& op, sdk::Support& answer);
  // A kernel for an op that supports() accepted, whose constants have data. Throws sdk::Error when memory is
  // short or the device is lost.
  sdk::KernelPtr (*bind)(sdk::Host host, Device& device, const belay_op_t& op, const Packed& packed);
  // For ops whose constants are packed: how many bytes that takes, and doing it.
  std::uint64_t (*packed_bytes)(const belay_op_t& op) = nullptr;
  belay_status_t (*pack)(sdk::Host host, const belay_op_t& op, void* to) = nullptr;
};

extern const OpRow kEmbed;
extern const OpRow kLinear;
extern const OpRow kRmsNorm;
extern const OpRow kLayerNorm;
extern const OpRow kRope;
extern const OpRow kKvWrite;
extern const OpRow kAttention;
extern const OpRow kSiluMul;
extern const OpRow kGelu;
extern const OpRow kAdd;

// nullptr when the op is not offered.
[[nodiscard]] const OpRow* find_op(std::string_view id);

// What `bytes` of weights cost to read, with the launch of the kernel that does, on the smallest card of the
// family (MX250: 48 GB/s). Only compared with the costs of other plugins.
[[nodiscard]] constexpr std::uint64_t cost_of(double bytes) {
  return 5000 + static_cast<std::uint64_t>(bytes / 48);
}

}  // namespace belay::cuda
