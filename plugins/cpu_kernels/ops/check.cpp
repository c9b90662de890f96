#include "plugins/cpu_kernels/ops/check.hpp"

#include "plugins/cpu_kernels/quant/unpack.hpp"

namespace belay::BELAY_ISA {
namespace {

// No model comes near; it keeps every product of sizes below 2^63.
constexpr int64_t kMaxSize = int64_t{1} << 31;

bool array_missing(const belay_tensor_t* tensors, uint64_t count) {
  if (count == 0) return false;
  if (!sdk::valid(tensors)) return true;
  for (uint64_t i = 0; i < count; ++i) {
    const belay_tensor_t& t = sdk::at(tensors, i);
    if (t.struct_size != tensors->struct_size || t.rank > BELAY_MAX_RANK) return true;
  }
  return false;
}

// A stride counts only where more than one element may be stepped over, and is known unless a size further in
// is open. An open dimension may leave its own at 0.
bool is_contiguous(const belay_tensor_t& t) {
  const BlockSize block = t.dtype == BELAY_DTYPE_I32 ? BlockSize{1, 4} : block_size(t.dtype);
  uint64_t step = block.bytes;
  for (uint32_t i = t.rank; i-- > 0;) {
    const bool is_open = t.shape[i] < 0;
    const int64_t steps = i + 1 == t.rank && !is_open ? t.shape[i] / block.values : t.shape[i];
    const bool counts = is_open ? t.stride_bytes[i] != 0 : steps > 1;
    if (counts && t.stride_bytes[i] != static_cast<int64_t>(step)) return false;
    if (is_open) return true;
    if (__builtin_mul_overflow(step, static_cast<uint64_t>(steps), &step)) return false;
  }
  return true;
}

uint64_t total_bytes(const belay_tensor_t& t) {
  if (t.rank == 0) return 0;
  uint64_t bytes = 0;
  if (!row_bytes(t.dtype, t.shape[t.rank - 1], bytes)) return ~uint64_t{0};
  for (uint32_t i = 0; i + 1 < t.rank; ++i) {
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(t.shape[i]), &bytes)) return ~uint64_t{0};
  }
  return bytes;
}

}  // namespace

bool has_operands(const belay_op_t& op, uint64_t inputs, uint64_t min_constants, uint64_t max_constants,
                  uint64_t outputs, sdk::Support& answer) {
  if (op.input_count != inputs || op.output_count != outputs || op.constant_count < min_constants ||
      op.constant_count > max_constants) {
    return answer.no(BELAY_INVALID_ARGUMENT, "needs %llu inputs, %llu to %llu constants and %llu outputs",
                     static_cast<unsigned long long>(inputs), static_cast<unsigned long long>(min_constants),
                     static_cast<unsigned long long>(max_constants),
                     static_cast<unsigned long long>(outputs));
  }
  if (array_missing(op.inputs, inputs) || array_missing(op.constants, op.constant_count) ||
      array_missing(op.outputs, outputs)) {
    return answer.no(BELAY_INVALID_ARGUMENT,
                     "an operand's descriptor is missing, too small, or of too high rank");
  }
  return true;
}

bool is_tensor(const belay_tensor_t& tensor, const char* name, int32_t dtype,
               std::initializer_list<int64_t> shape, sdk::Support& answer) {
  if (tensor.dtype != dtype) {
    return answer.no(BELAY_UNSUPPORTED, "%s has dtype %d, not %d", name, tensor.dtype, dtype);
  }
  if (tensor.layout != BELAY_LAYOUT_ROW) {
    return answer.no(BELAY_UNSUPPORTED, "%s has layout %d, not the plain one", name, tensor.layout);
  }
  if (tensor.rank != shape.size()) {
    return answer.no(BELAY_UNSUPPORTED, "%s has rank %u, not %zu", name, tensor.rank, shape.size());
  }
  for (uint32_t i = 0; i < tensor.rank; ++i) {
    const int64_t size = tensor.shape[i];
    const int64_t wanted = shape.begin()[i];
    const bool fits = wanted == kTokens    ? size >= BELAY_DYNAMIC
                      : wanted == kAnySize ? size >= 0
                                           : size == wanted;
    if (!fits || size > kMaxSize) {
      return answer.no(BELAY_UNSUPPORTED, "%s has size %lld in dimension %u, which does not fit", name,
                       static_cast<long long>(size), i);
    }
  }
  uint64_t bytes = 0;
  if (tensor.rank > 0 && tensor.shape[tensor.rank - 1] >= 0 &&
      !row_bytes(dtype, tensor.shape[tensor.rank - 1], bytes)) {
    return answer.no(BELAY_UNSUPPORTED, "%s has rows that are not whole blocks", name);
  }
  if (!is_contiguous(tensor)) return answer.no(BELAY_UNSUPPORTED, "%s is not contiguous", name);
  return true;
}

bool same_shape(const belay_tensor_t& a, const belay_tensor_t& b, const char* names, sdk::Support& answer) {
  bool same = a.dtype == b.dtype && a.rank == b.rank;
  for (uint32_t i = 0; same && i < a.rank; ++i) same = a.shape[i] == b.shape[i];
  return same || answer.no(BELAY_UNSUPPORTED, "%s differ in type or shape", names);
}

bool row_bytes(int32_t dtype, int64_t elements, uint64_t& bytes) {
  const BlockSize block = dtype == BELAY_DTYPE_I32 ? BlockSize{1, 4} : block_size(dtype);
  bytes = 0;
  if (block.values == 0 || elements < 0 || elements % block.values != 0) return false;
  return !__builtin_mul_overflow(static_cast<uint64_t>(elements / block.values), block.bytes, &bytes);
}

const belay_tensor_t* constant(const belay_op_t& op, uint64_t index) {
  if (index >= op.constant_count) return nullptr;
  const belay_tensor_t& t = sdk::at(op.constants, index);
  return t.rank == 0 && t.nbytes == 0 ? nullptr : &t;
}

bool linear_shapes_fit(const belay_op_t& op, sdk::Support& answer) {
  const belay_tensor_t& weight = op.constants[0];
  const belay_tensor_t* bias = constant(op, 1);
  return is_tensor(weight, "weight", weight.dtype, {kAnySize, kAnySize}, answer) &&
         is_tensor(op.inputs[0], "x", BELAY_DTYPE_F32, {kTokens, weight.shape[1]}, answer) &&
         is_tensor(op.outputs[0], "output", BELAY_DTYPE_F32, {kTokens, weight.shape[0]}, answer) &&
         (bias == nullptr || is_tensor(*bias, "bias", BELAY_DTYPE_F32, {weight.shape[0]}, answer));
}

const uint8_t* constant_data(const belay_tensor_t& tensor, const char* name) {
  const uint64_t needed = total_bytes(tensor);
  if (needed > 0 && (tensor.data == nullptr || tensor.nbytes < needed)) {
    throw sdk::Error(BELAY_INVALID_ARGUMENT, "%s has %llu bytes of data in host memory, its shape needs %llu",
                     name, static_cast<unsigned long long>(tensor.data == nullptr ? 0 : tensor.nbytes),
                     static_cast<unsigned long long>(needed));
  }
  return static_cast<const uint8_t*>(tensor.data);
}

Operands::Operands(const belay_run_t& run, uint64_t inputs, uint64_t outputs) : run_(run) {
  bool fine = run.input_count == inputs && run.output_count == outputs &&
              (inputs == 0 || run.inputs != nullptr) && (outputs == 0 || run.outputs != nullptr);
  for (uint64_t i = 0; fine && i < inputs; ++i) fine = sdk::valid(run.inputs[i]);
  for (uint64_t i = 0; fine && i < outputs; ++i) fine = sdk::valid(run.outputs[i]);
  if (!fine)
    status_ =
        sdk::fail(run.error, BELAY_INVALID_ARGUMENT, "run: wrong number of operands, or one is missing");
}

int64_t Operands::tokens(uint64_t input, uint32_t dimension) {
  if (status_ != BELAY_OK) return 0;
  const belay_tensor_t& t = *run_.inputs[input];
  if (dimension < t.rank && t.shape[dimension] >= 0 && t.shape[dimension] <= kMaxSize)
    return t.shape[dimension];
  status_ = sdk::fail(run_.error, BELAY_INVALID_ARGUMENT, "run: input %llu does not say its number of tokens",
                      static_cast<unsigned long long>(input));
  return 0;
}

bool Operands::rows_touch(const belay_tensor_t& tensor, uint64_t bytes_per_token) {
  if (tensor.rank < 2 || tensor.shape[0] < 2 ||
      tensor.stride_bytes[0] == static_cast<int64_t>(bytes_per_token))
    return true;
  status_ =
      sdk::fail(run_.error, BELAY_INVALID_ARGUMENT, "run: the tokens of an operand do not lie side by side");
  return false;
}

const float* Operands::floats(uint64_t index, int64_t tokens, uint64_t per_token) {
  const auto* data = static_cast<const float*>(input(index, tokens, 4 * per_token));
  return status_ == BELAY_OK && rows_touch(*run_.inputs[index], 4 * per_token) ? data : nullptr;
}

float* Operands::out_floats(uint64_t index, int64_t tokens, uint64_t per_token) {
  auto* data = static_cast<float*>(output(index, tokens, 4 * per_token));
  return status_ == BELAY_OK && rows_touch(*run_.outputs[index], 4 * per_token) ? data : nullptr;
}

const void* Operands::input(uint64_t index, int64_t tokens, uint64_t bytes_per_token) {
  return status_ == BELAY_OK ? bytes_of(run_.inputs[index], "input", index, tokens, bytes_per_token)
                             : nullptr;
}

void* Operands::output(uint64_t index, int64_t tokens, uint64_t bytes_per_token) {
  return status_ == BELAY_OK ? bytes_of(run_.outputs[index], "output", index, tokens, bytes_per_token)
                             : nullptr;
}

void* Operands::workspace(uint64_t bytes) {
  if (status_ != BELAY_OK) return nullptr;
  if (bytes == 0 || (run_.workspace != nullptr && run_.workspace_bytes >= bytes)) return run_.workspace;
  status_ = sdk::fail(
      run_.error, BELAY_INVALID_ARGUMENT, "run: the workspace has %llu bytes, %llu are needed",
      static_cast<unsigned long long>(run_.workspace_bytes), static_cast<unsigned long long>(bytes));
  return nullptr;
}

void* Operands::bytes_of(const belay_tensor_t* tensor, const char* what, uint64_t index, int64_t tokens,
                         uint64_t bytes_per_token) {
  uint64_t needed = 0;
  const bool overflow = __builtin_mul_overflow(static_cast<uint64_t>(tokens), bytes_per_token, &needed);
  if (!overflow && (needed == 0 || (tensor->data != nullptr && tensor->nbytes >= needed)))
    return tensor->data;
  status_ = sdk::fail(run_.error, BELAY_INVALID_ARGUMENT,
                      "run: %s %llu has no data or fewer than the %llu bytes of %lld tokens", what,
                      static_cast<unsigned long long>(index), static_cast<unsigned long long>(needed),
                      static_cast<long long>(tokens));
  return nullptr;
}

}  // namespace belay::BELAY_ISA
