#include "plugins/cuda_sm61/ops/operands.hpp"

#include <belay/cpp/guard.hpp>
#include <belay/cpp/struct.hpp>
#include <belay/op.h>

#include <algorithm>
#include <cstdarg>

namespace belay::cuda {
namespace {

constexpr std::int64_t kMostTokens = 0x7fffffff;  // kernels count in 32 bits
constexpr std::uint64_t kAlignment = 16;          // of operands in buffers, for loads of four floats

bool tokens_touch(const belay_tensor_t& tensor, std::uint64_t bytes_of_token) {
  return tensor.rank < 2 || tensor.shape[0] < 2 || tensor.dtype != BELAY_DTYPE_F32 ||
         tensor.stride_bytes[0] == static_cast<std::int64_t>(bytes_of_token);
}

}  // namespace

std::uint64_t Operand::copied_bytes() const {
  if (shape.kind == OperandShape::Kind::kTokens) return bytes;
  return static_cast<std::uint64_t>(shape.heads * block_count) * BELAY_KV_BLOCK * shape.bytes;
}

Operands::Operands(const belay_run_t& run, std::span<const OperandShape> inputs,
                   std::span<const OperandShape> outputs)
    : run_(run), input_count_(inputs.size()), output_count_(outputs.size()) {
  const auto fill = [](std::span<const OperandShape> shapes, const belay_tensor_t* const* tensors,
                       std::array<Operand, kMost>& to) {
    bool all_there = tensors != nullptr;
    for (std::size_t i = 0; all_there && i < shapes.size(); ++i) {
      all_there = sdk::valid(tensors[i]);
      to[i].tensor = tensors[i];
      to[i].shape = shapes[i];
    }
    return all_there;
  };
  const bool counts = run.input_count == inputs.size() && run.output_count == outputs.size();
  if (!counts || !fill(inputs, run.inputs, inputs_) || !fill(outputs, run.outputs, outputs_)) {
    wrong("run: wrong number of operands, or one is missing");
    return;
  }
  if (!check_tokens()) return;
  for (std::size_t i = 0; i < input_count_; ++i) {
    if (!check("input", i, inputs_[i])) return;
  }
  for (std::size_t i = 0; i < output_count_; ++i) {
    if (!check("output", i, outputs_[i])) return;
  }
}

bool Operands::check_tokens() {
  const belay_tensor_t& first = *inputs_[0].tensor;
  if (first.rank == 0 || first.shape[0] < 0 || first.shape[0] > kMostTokens) {
    return wrong("run: input 0 does not say its number of tokens, or too many");
  }
  tokens_ = first.shape[0];
  if (run_.position > static_cast<std::uint64_t>(kMostTokens - tokens_)) {
    return wrong("run: position %llu is out of range", static_cast<unsigned long long>(run_.position));
  }
  return true;
}

bool Operands::check(const char* kind, std::size_t index, Operand& operand) {
  if (operand.shape.kind != OperandShape::Kind::kTokens) return check_cache(kind, index, operand);
  const bool overflow =
      __builtin_mul_overflow(static_cast<std::uint64_t>(tokens_), operand.shape.bytes, &operand.bytes);
  const bool has_data = run_.stream != nullptr || operand.tensor->data != nullptr || operand.bytes == 0;
  if (overflow || !has_data || operand.tensor->nbytes < operand.bytes) {
    return wrong("run: %s %zu has no data or fewer than the bytes of %lld tokens", kind, index,
                 static_cast<long long>(tokens_));
  }
  return tokens_touch(*operand.tensor, operand.shape.bytes) ||
         wrong("run: the tokens of %s %zu do not lie side by side", kind, index);
}

bool Operands::check_cache(const char* kind, std::size_t index, Operand& operand) {
  const belay_tensor_t& tensor = *operand.tensor;
  const auto position = static_cast<std::int64_t>(run_.position);
  const std::int64_t end = position + tokens_;
  const std::int64_t blocks = tensor.rank == 4 ? tensor.shape[1] : -1;
  if (blocks < 0 || blocks > kMostTokens || blocks * BELAY_KV_BLOCK < end) {
    return wrong("run: the cache in %s %zu has %lld blocks of 64, too few for %lld positions", kind, index,
                 static_cast<long long>(blocks), static_cast<long long>(end));
  }
  const auto rows =
      static_cast<std::uint64_t>(operand.shape.heads) * static_cast<std::uint64_t>(blocks) * BELAY_KV_BLOCK;
  const bool overflow = __builtin_mul_overflow(rows, operand.shape.bytes, &operand.bytes);
  const bool has_data = run_.stream != nullptr || tensor.data != nullptr || operand.bytes == 0;
  if (overflow || !has_data || tensor.nbytes < operand.bytes) {
    return wrong("run: the cache in %s %zu has no data or fewer bytes than its shape needs", kind, index);
  }
  const bool written = operand.shape.kind == OperandShape::Kind::kWrittenCache;
  operand.first_block = written ? position / BELAY_KV_BLOCK : 0;
  operand.block_count = (end + BELAY_KV_BLOCK - 1) / BELAY_KV_BLOCK - operand.first_block;
  return true;
}

std::int64_t Operands::first_block() const {
  for (const Operand& output : outputs()) {
    if (output.shape.kind == OperandShape::Kind::kWrittenCache) return output.first_block;
  }
  return 0;
}

belay_status_t Operands::find(const Buffers& buffers, std::span<Place> inputs,
                              std::span<Place> outputs) const {
  bool found = true;
  for (std::size_t i = 0; i < input_count_; ++i) found = found && find_one(buffers, inputs_[i], inputs[i]);
  for (std::size_t i = 0; i < output_count_; ++i) found = found && find_one(buffers, outputs_[i], outputs[i]);
  if (found) return BELAY_OK;
  return sdk::fail(run_.error, BELAY_INVALID_ARGUMENT,
                   "run: with a stream, every operand lies in a device buffer, at a multiple of 16 bytes");
}

bool Operands::find_one(const Buffers& buffers, const Operand& operand, Place& place) const {
  if (operand.bytes == 0) return true;
  const belay_tensor_t& tensor = *operand.tensor;
  Buffer buffer;
  if (!buffers.find(tensor.buffer, buffer) || buffer.type != kDeviceBuffer) return false;
  if (tensor.offset % kAlignment != 0 || tensor.offset > buffer.bytes ||
      operand.bytes > buffer.bytes - tensor.offset) {
    return false;
  }
  place = {buffer.device + tensor.offset, operand.shape.heads > 0 ? tensor.shape[1] : 0};
  return true;
}

bool Operands::wrong(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  status_ = sdk::vfail(run_.error, BELAY_INVALID_ARGUMENT, format, arguments);
  va_end(arguments);
  return false;
}

}  // namespace belay::cuda
