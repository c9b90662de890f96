#include "core/memory/tensor.hpp"

#include <algorithm>

namespace belay::memory {
namespace {

// Strides and size follow from the shape: rows of whole blocks, the last dimension contiguous.
void lay_out(belay_tensor_t& tensor) {
  std::int64_t stride = static_cast<std::int64_t>(tensor.block_bytes);
  for (std::uint32_t i = tensor.rank; i-- > 0;) {
    tensor.stride_bytes[i] = stride;
    const std::int64_t dim = tensor.shape[i];
    stride *=
        dim < 0 ? 0 : (i + 1 == tensor.rank ? dim / static_cast<std::int64_t>(tensor.block_elems) : dim);
  }
  tensor.nbytes = static_cast<std::uint64_t>(stride);
}

}  // namespace

belay_tensor_t describe(DType dtype, std::span<const std::int64_t> shape, void* data) {
  belay_tensor_t tensor = {};
  tensor.struct_size = sizeof tensor;
  tensor.dtype = static_cast<std::int32_t>(dtype);
  tensor.layout = BELAY_LAYOUT_ROW;
  tensor.rank = static_cast<std::uint32_t>(shape.size());
  tensor.block_elems = info(dtype).block_elems;
  tensor.block_bytes = info(dtype).block_bytes;
  for (std::size_t i = 0; i < shape.size() && i < BELAY_MAX_RANK; ++i)
    tensor.shape[i] = std::max<std::int64_t>(shape[i], BELAY_DYNAMIC);
  tensor.data = data;
  lay_out(tensor);
  return tensor;
}

void resize(belay_tensor_t& tensor, std::uint32_t axis, std::int64_t dim) {
  tensor.shape[axis] = dim;
  lay_out(tensor);
}

}  // namespace belay::memory
