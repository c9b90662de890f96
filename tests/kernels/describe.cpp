#include "tests/kernels/describe.hpp"

namespace belay::kernel_tests {

belay_tensor_t describe(const Operand& operand, void* data) {
  const DTypeInfo& row = info(operand.dtype);
  belay_tensor_t tensor{};
  tensor.struct_size = sizeof tensor;
  tensor.dtype = static_cast<std::int32_t>(operand.dtype);
  tensor.rank = static_cast<std::uint32_t>(operand.shape.size());
  tensor.block_elems = row.block_elems;
  tensor.block_bytes = row.block_bytes;
  tensor.data = data;
  tensor.nbytes = operand.bytes.size();
  std::int64_t stride = row.block_bytes;
  for (std::size_t i = operand.shape.size(); i-- > 0;) {
    tensor.shape[i] = operand.shape[i];
    tensor.stride_bytes[i] = stride;
    stride *= i + 1 == operand.shape.size() ? operand.shape[i] / row.block_elems : operand.shape[i];
    if (i == 1) stride += operand.row_padding;
  }
  return tensor;
}

namespace {

belay_tensor_t describe_dynamic(const Operand& operand) {
  belay_tensor_t tensor = describe(operand, nullptr);
  tensor.nbytes = 0;
  if (operand.token_axis >= 0) tensor.shape[operand.token_axis] = BELAY_DYNAMIC;
  for (int i = 0; i < operand.token_axis; ++i) tensor.stride_bytes[i] = 0;  // not known yet
  return tensor;
}

}  // namespace

OpDescription::OpDescription(const OpCase& op_case, const std::vector<void*>& constant_data)
    : attributes_(op_case.attributes) {
  for (const Operand& input : op_case.inputs) inputs.push_back(describe_dynamic(input));
  for (std::size_t i = 0; i < op_case.constants.size(); ++i) {
    constants.push_back(
        describe(op_case.constants[i], i < constant_data.size() ? constant_data[i] : nullptr));
  }
  for (const Operand& output : op_case.outputs) outputs.push_back(describe_dynamic(output));
  op.struct_size = sizeof op;
  op.id = {op_case.op.data(), op_case.op.size()};
  op.attributes = attributes_.empty() ? nullptr : attributes_.data();
  op.attributes_size = attributes_.size();
  op.inputs = inputs.data();
  op.input_count = inputs.size();
  op.constants = constants.data();
  op.constant_count = constants.size();
  op.outputs = outputs.data();
  op.output_count = outputs.size();
}

}  // namespace belay::kernel_tests
