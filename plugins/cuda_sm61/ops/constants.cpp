#include "plugins/cuda_sm61/ops/constants.hpp"

#include "plugins/cpu_kernels/ops/check.hpp"

namespace belay::cuda {

DeviceMemory copy_of_constant(Device& device, const belay_op_t& op, std::uint64_t index, const char* name) {
  namespace check = isa_scalar;
  const belay_tensor_t* tensor = check::constant(op, index);
  if (tensor == nullptr) return {};
  const std::uint8_t* data = check::constant_data(*tensor, name);  // as many bytes as its shape needs
  std::uint64_t bytes = 0;
  check::row_bytes(tensor->dtype, tensor->shape[tensor->rank - 1], bytes);
  for (std::uint32_t i = 0; i + 1 < tensor->rank; ++i) bytes *= static_cast<std::uint64_t>(tensor->shape[i]);
  return device.copy_of(data, bytes, name);
}

}  // namespace belay::cuda
