// Descriptors of the ABI over memory that the core owns.
#pragma once

#include "core/base/dtype.hpp"

#include <belay/tensor.h>

#include <cstdint>
#include <span>

namespace belay::memory {

// A contiguous tensor of layout 0. `data` may be null: a description without bytes. A negative dimension is
// dynamic, whatever it stands for, and makes nbytes 0.
[[nodiscard]] belay_tensor_t describe(DType dtype, std::span<const std::int64_t> shape, void* data);

// Replaces the dimension `axis` and what depends on it.
void resize(belay_tensor_t& tensor, std::uint32_t axis, std::int64_t dim);

}  // namespace belay::memory
