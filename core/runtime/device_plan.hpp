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

// A node of a graph, seen from a device.
struct NodeShare {
  bool headed = false;      // the device's plugin would run it
  std::uint64_t bytes = 0;  // of its constants, as they lie there
};

// What a device has to offer to each node of the model's graphs.
struct DeviceOffer {
  std::string plugin;
  std::uint64_t free_bytes = 0;
  std::vector<NodeShare> body;
  std::vector<NodeShare> head;
  std::vector<NodeShare> vision;
};

[[nodiscard]] DeviceUse place_on_device(const models::Model& model, const DeviceOffer& offer,
                                        const DeviceRequest& request);

// Whether a node of the body stays on the device. Of the other graphs all do, or none.
[[nodiscard]] inline bool stays_on_device(const DeviceUse& use, const graph::Node& node) {
  return node.layer >= 0 && static_cast<std::size_t>(node.layer) < use.layers;
}

// "cuda_sm61: 28 layers and the head, weights 1740.2 MiB + KV cache ... = 1900.0 MiB of 1950.0 MiB"
[[nodiscard]] std::string device_text(const DeviceUse& use);

}  // namespace belay::runtime
