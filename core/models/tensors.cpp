#include "core/models/tensors.hpp"

#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/formats/quantize.hpp"

#include <algorithm>

namespace belay::models {
namespace {

graph::Shape signed_shape(const formats::TensorView& tensor) {
  return {tensor.shape.begin(), tensor.shape.end()};
}

// Whether the elements may be read in place; from safetensors they may lie anywhere. Blocks are read by
// bytes.
bool is_aligned(const formats::TensorView& tensor) {
  const std::size_t element = info(tensor.dtype).block_elems == 1 ? info(tensor.dtype).block_bytes : 1;
  return reinterpret_cast<std::uintptr_t>(tensor.data.data()) % element == 0;
}

}  // namespace

Status Tensors::add(std::string name, const formats::TensorView& tensor) {
  if (!is_aligned(tensor)) {
    BELAY_TRY_ASSIGN(const std::span<std::byte> room,
                     make(std::move(name), tensor.dtype, signed_shape(tensor)));
    std::copy(tensor.data.begin(), tensor.data.end(), room.begin());
    return {};
  }
  graph::Weight weight{name, tensor.dtype, signed_shape(tensor), tensor.data,
                       tensor.in_file ? graph::Home::kFile : graph::Home::kMemory};
  by_name_.insert_or_assign(std::move(name), std::move(weight));
  return {};
}

Status Tensors::add_f32(std::string name, const formats::TensorView& tensor) {
  if (tensor.dtype == DType::kF32) return add(std::move(name), tensor);
  const std::string label = name;
  BELAY_TRY_ASSIGN(const std::span<std::byte> room, make(std::move(name), DType::kF32, signed_shape(tensor)));
  const Status converted = formats::to_f32(
      tensor.dtype, tensor.data, {reinterpret_cast<float*>(room.data()), room.size() / sizeof(float)});
  if (converted.ok()) return {};
  return fail(converted.error().code, "tensor \"{}\": {}", label, converted.error().message);
}

Result<std::span<std::byte>> Tensors::make(std::string name, DType dtype, graph::Shape shape,
                                           graph::Home home) {
  CheckedU64 bytes(row_bytes(dtype, static_cast<std::uint64_t>(shape.back())).value_or(0));
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) bytes = bytes * static_cast<std::uint64_t>(shape[i]);
  if (!bytes.value())
    return fail(ErrorCode::kOutOfMemory, "tensor \"{}\" is larger than memory can be", name);
  BELAY_TRY_ASSIGN(memory::Buffer buffer, memory::Buffer::allocate(*bytes.value(), name));
  const std::span<std::byte> room(buffer.data(), buffer.size());
  made_.push_back(std::move(buffer));
  graph::Weight weight{name, dtype, std::move(shape), room, home};
  by_name_.insert_or_assign(std::move(name), std::move(weight));
  return room;
}

void Tensors::place(std::string_view name, std::span<const std::byte> data, graph::Home home) {
  graph::Weight& weight = by_name_.find(name)->second;
  weight.data = data;
  weight.home = home;
}

const graph::Weight* Tensors::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &found->second;
}

std::uint64_t Tensors::bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [name, weight] : by_name_) bytes += weight.data.size();
  return bytes;
}

}  // namespace belay::models
