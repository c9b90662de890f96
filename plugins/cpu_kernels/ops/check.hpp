// Checks shared by the operators: of a description in supports() and bind(), and of the operands of a run.
#pragma once

#include <belay/cpp/compute.hpp>
#include <belay/cpp/host.hpp>

#include <initializer_list>

namespace belay::BELAY_ISA {

// In an expected shape: any size; the number of tokens, which may also be BELAY_DYNAMIC.
inline constexpr int64_t kAnySize = -2;
inline constexpr int64_t kTokens = -1;

// Whether the op has these numbers of operands and its arrays are there.
bool has_operands(const belay_op_t& op, uint64_t inputs, uint64_t min_constants, uint64_t max_constants,
                  uint64_t outputs, sdk::Support& answer);

// Whether a tensor has this type, this shape, the plain layout and contiguous strides.
bool is_tensor(const belay_tensor_t& tensor, const char* name, int32_t dtype,
               std::initializer_list<int64_t> shape, sdk::Support& answer);

// Whether two tensors are described with the same type and shape.
bool same_shape(const belay_tensor_t& a, const belay_tensor_t& b, const char* names, sdk::Support& answer);

// Bytes of a contiguous tensor row of `elements` along the last dimension; 0 and false when that is not whole
// blocks.
bool row_bytes(int32_t dtype, int64_t elements, uint64_t& bytes);

// Constant `index`, or nullptr when it is left out.
const belay_tensor_t* constant(const belay_op_t& op, uint64_t index);

// In bind: the bytes of a constant. Throws sdk::Error when it has no data or fewer bytes than its shape
// needs.
const uint8_t* constant_data(const belay_tensor_t& tensor, const char* name);

// Whether the shapes of a linear's operands go together, with a weight of its own type.
bool linear_shapes_fit(const belay_op_t& op, sdk::Support& answer);

// The op's attributes, or no.
template <class Attributes>
bool read_attributes(const belay_op_t& op, Attributes& attributes, sdk::Support& answer) {
  const auto* given = static_cast<const Attributes*>(op.attributes);
  if (given == nullptr || op.attributes_size < sizeof(Attributes) ||
      given->struct_size < sizeof(Attributes)) {
    return answer.no(BELAY_INVALID_ARGUMENT, "the attributes are missing or too small");
  }
  attributes = sdk::read(given);
  return true;
}

// The attributes of an op that was accepted.
template <class Attributes>
Attributes accepted_attributes(const belay_op_t& op) {
  return sdk::read(static_cast<const Attributes*>(op.attributes));
}

// The operands of one run. Each getter checks what it hands out; the first thing that is wrong stays as
// status(), and after it every getter gives nullptr.
class Operands {
 public:
  Operands(const belay_run_t& run, uint64_t inputs, uint64_t outputs);

  // The number of tokens: the size of one dimension of an input.
  int64_t tokens(uint64_t input = 0, uint32_t dimension = 0);

  const void* input(uint64_t index, int64_t tokens, uint64_t bytes_per_token);
  void* output(uint64_t index, int64_t tokens, uint64_t bytes_per_token);
  // The same for floats whose tokens lie side by side.
  const float* floats(uint64_t index, int64_t tokens, uint64_t per_token);
  float* out_floats(uint64_t index, int64_t tokens, uint64_t per_token);
  void* workspace(uint64_t bytes);

  [[nodiscard]] belay_status_t status() const { return status_; }

 private:
  bool rows_touch(const belay_tensor_t& tensor, uint64_t bytes_per_token);
  void* bytes_of(const belay_tensor_t* tensor, const char* what, uint64_t index, int64_t tokens,
                 uint64_t bytes_per_token);

  const belay_run_t& run_;
  belay_status_t status_ = BELAY_OK;
};

// How many items a range should hold so that handing it to another thread pays, given the cost of one.
inline uint64_t grain_for(double item_ns) {
  constexpr double kRangeNs = 4000;  // a hand-off costs 1 to 2 us
  return item_ns >= kRangeNs ? 1 : static_cast<uint64_t>(kRangeNs / (item_ns > 0.1 ? item_ns : 0.1));
}

}  // namespace belay::BELAY_ISA
