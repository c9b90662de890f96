// Which layers of a model live on a device: whole ones, from the first on, until its memory is full; then
// what follows the layers. The rest stays with the plugins that compute in host memory, so that data crosses
// between the two once a step in each direction.
#pragma once

#include "core/dispatch/dispatcher.hpp"
#include "core/models/model.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace belay::runtime {

// Of the tier "device".
struct DeviceUse {
  std::string plugin;
  std::uint64_t free_bytes = 0;  // before anything was placed
  std::size_t layers = 0;        // the first ones
  bool head = false;             // and what makes logits of the last
  bool vision = false;           // and the encoder of images
  std::uint64_t chunk = 0;       // tokens of a step at most, so that there is room for layers
  std::uint64_t weights_bytes = 0;
  std::uint64_t kv_bytes = 0;
  std::uint64_t scratch_bytes = 0;   // with the workspace
  std::uint64_t replaced_bytes = 0;  // of weights that need no place in host memory any more
  [[nodiscard]] std::uint64_t total() const { return weights_bytes + kv_bytes + scratch_bytes; }
};

// What is placed, and for which steps.
struct DeviceRequest {
  std::uint64_t context = 0;
  std::uint64_t chunk = 0;
  std::uint64_t image_patches = 0;  // of the largest image
  bool kv_spilled = false;          // a cache that lies on the disk is of no use to a device
};

// The dispatchers of a model's graphs; `vision` may be null.
struct ModelDispatchers {
  dispatch::Dispatcher& body;
  dispatch::Dispatcher& head;
  dispatch::Dispatcher* vision = nullptr;
};

// After confirm(). Nodes that have no place on a device leave it, so that confirm() must ask again. Nothing
// when no plugin at the head of a chain has a device.
[[nodiscard]] std::optional<DeviceUse> place_on_device(const models::Model& model,
                                                       const ModelDispatchers& dispatchers,
                                                       const DeviceRequest& request);

// "cuda_sm61: 28 layers and the head, weights 1740.2 MiB + KV cache ... = 1900.0 MiB of 1950.0 MiB"
[[nodiscard]] std::string device_text(const DeviceUse& use);

}  // namespace belay::runtime
