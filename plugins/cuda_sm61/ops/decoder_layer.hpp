// A decoder layer as one kernel: decode's token goes through it in seven launches, and one more for each
// further type of weights among q, k and v. More tokens, and runs from host memory, go through its steps one
// by one.
//
//   norm                          x normed and quantised
//   q, k, v                       in one launch
//   head norms, rope, kv_write    in one
//   attention                     its result quantised
//   output, residual, norm        the sum kept, and normed and quantised
//   gate, up, silu                quantised
//   down, residual
#pragma once

#include "plugins/cuda_sm61/device/device.hpp"

#include <belay/cpp/compute.hpp>

namespace belay::cuda {

// For the layer that a sequence begins with, when its weights and activations are quantised; else nullptr.
// `taken`: its steps.
[[nodiscard]] sdk::KernelPtr join_decoder_layer(Device& device, const sdk::Sequence& steps, uint64_t& taken);

}  // namespace belay::cuda
