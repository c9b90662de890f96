#include "tests/plugins/cuda_sm61/linear/emulated_linear.hpp"

#include "plugins/cuda_sm61/weights/pack.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <deque>

namespace belay::cuda_tests {

namespace {

std::size_t sizes(const kernel_tests::Operand& operand, std::size_t axis) {
  return static_cast<std::size_t>(operand.shape.at(axis));
}

}  // namespace

PackedWeight::PackedWeight(const kernel_tests::Operand& weight)
    : layout(cuda::packed_layout(static_cast<std::int32_t>(weight.dtype), weight.shape[0], weight.shape[1])
                 .value()),
      memory(static_cast<std::size_t>(layout.bytes)) {
  cuda::pack({static_cast<std::int32_t>(weight.dtype), weight.shape[0], weight.shape[1], weight.bytes.data(),
              memory.as<std::uint8_t>()});
}

QuantisedOnDevice::QuantisedOnDevice(std::size_t block_count)
    : blocks(block_count), low(16 * block_count), high(16 * block_count), scales(8 * block_count) {}

QuantisedOnDevice::QuantisedOnDevice(std::span<const std::uint8_t> x, std::size_t tokens, std::size_t k,
                                     const emulator::Options& options)
    : QuantisedOnDevice(tokens * k / 32) {
  const GuardedMemory values(x);
  LinearQuantiseParams params{};
  params.x = values.as<float>();
  params.low = low.as<signed char>();
  params.high = high.as<signed char>();
  params.scales = scales.as<float>();
  params.blocks = static_cast<long long>(blocks);
  launch_kernel("belay_linear_quantise", params, {blocks_of(blocks, BELAY_LINEAR_QUANTISE_BLOCKS), 1, 1},
                options);
  CHECK(intact());
}

std::string to_string(Kernel kernel) {
  constexpr const char* kNames[] = {"gemv_q8", "gemm_q8", "gemm_q8s", "gemv_f32", "gemm_f32"};
  return kNames[static_cast<std::size_t>(kernel)];
}

namespace {

bool is_gemv(Kernel kernel) { return kernel == Kernel::kGemvQ8 || kernel == Kernel::kGemvF32; }
bool is_q8(Kernel kernel) { return kernel <= Kernel::kGemmQ8Small; }

std::string kernel_name(const Linear& linear, std::size_t tokens) {
  std::string name = "belay_linear_" + to_string(linear.kernel);
  if (is_gemv(linear.kernel)) {
    const int columns = linear.columns != 0 ? linear.columns : tokens == 1 ? 1 : tokens <= 4 ? 4 : 8;
    name += "x" + std::to_string(columns);
  }
  return name + "_" + std::string(belay::to_string(linear.cases[0]->constants[0].dtype));
}

std::size_t rows_a_block(const Linear& linear) {
  if (!is_gemv(linear.kernel)) return BELAY_LINEAR_GEMM_ROWS;
  return linear.silu ? BELAY_LINEAR_GEMV_SILU_ROWS : BELAY_LINEAR_GEMV_ROWS;
}

emulator::Extent grid_of(const Linear& linear, std::size_t tokens) {
  std::uint32_t blocks = 0;
  for (const kernel_tests::OpCase* op_case : linear.cases) {
    blocks += blocks_of(sizes(op_case->constants[0], 0), rows_a_block(linear));
    if (linear.silu) break;
  }
  if (is_gemv(linear.kernel)) return {blocks, 1, 1};
  const bool small = linear.kernel == Kernel::kGemmQ8Small;
  return {blocks_of(tokens, small ? BELAY_LINEAR_GEMM_SMALL_TOKENS : BELAY_LINEAR_GEMM_TOKENS), blocks, 1};
}

// One case's operands on the device.
struct Matrix {
  explicit Matrix(const kernel_tests::OpCase& op_case)
      : weight(op_case.constants[0]),
        has_bias(op_case.constants.size() > 1 && !op_case.constants[1].bytes.empty()),
        bias(has_bias ? std::span<const std::uint8_t>(op_case.constants[1].bytes)
                      : std::span<const std::uint8_t>{}),
        y(op_case.outputs[0].bytes.size()),
        rows(sizes(op_case.constants[0], 0)) {}

  [[nodiscard]] LinearMatrix params() const {
    LinearMatrix matrix{};
    matrix.weight = weight.planes();
    matrix.bias = has_bias ? bias.as<float>() : nullptr;
    matrix.y = y.as<float>();
    matrix.rows = static_cast<int>(rows);
    return matrix;
  }

  PackedWeight weight;
  bool has_bias;
  GuardedMemory bias;
  GuardedMemory y;
  std::size_t rows;
};

}  // namespace

std::vector<std::vector<float>> run(const Linear& linear, const emulator::Options& options) {
  const kernel_tests::Operand& x = linear.cases[0]->inputs[0];
  const std::size_t tokens = sizes(x, 0);
  const std::size_t k = sizes(x, 1);
  std::deque<Matrix> matrices;
  for (const kernel_tests::OpCase* op_case : linear.cases) matrices.emplace_back(*op_case);
  LinearParams params{};
  for (std::size_t i = 0; i < matrices.size(); ++i) params.matrix[i] = matrices[i].params();
  const GuardedMemory residual{std::span<const float>(linear.residual)};
  if (!linear.residual.empty()) params.matrix[0].residual = residual.as<float>();
  if (linear.in_place) {
    std::ranges::copy(linear.residual, matrices[0].y.as<float>());
    params.matrix[0].residual = matrices[0].y.as<float>();
  }
  params.tokens = static_cast<int>(tokens);
  params.k = static_cast<int>(k);
  params.silu = linear.silu ? 1 : 0;

  const GuardedMemory values{std::span<const std::uint8_t>(x.bytes)};
  if (is_q8(linear.kernel)) {
    const QuantisedOnDevice quantised(x.bytes, tokens, k);
    params.low = quantised.low.as<signed char>();
    params.high = quantised.high.as<signed char>();
    params.scales = quantised.scales.as<float>();
    launch_kernel(kernel_name(linear, tokens), params, grid_of(linear, tokens), options);
  } else {
    params.x = values.as<float>();
    launch_kernel(kernel_name(linear, tokens), params, grid_of(linear, tokens), options);
  }
  std::vector<std::vector<float>> results;
  for (const Matrix& matrix : matrices) {
    CHECK(matrix.y.intact());
    results.push_back(matrix.y.floats());
    if (linear.silu) break;
  }
  return results;
}

void run_swiglu(const kernel_tests::OpCase& gate, const kernel_tests::OpCase& up, const QuantisedOnDevice& y,
                const emulator::Options& options) {
  const std::size_t k = sizes(gate.inputs[0], 1);
  const std::size_t rows = sizes(gate.constants[0], 0);
  const PackedWeight gate_weight(gate.constants[0]);
  const PackedWeight up_weight(up.constants[0]);
  const QuantisedOnDevice x(gate.inputs[0].bytes, 1, k);
  LinearSwigluParams params{};
  params.gate = gate_weight.planes();
  params.up = up_weight.planes();
  params.low = x.low.as<signed char>();
  params.high = x.high.as<signed char>();
  params.scales = x.scales.as<float>();
  params.y_low = y.low.as<signed char>();
  params.y_high = y.high.as<signed char>();
  params.y_scales = y.scales.as<float>();
  params.rows = static_cast<int>(rows);
  params.k = static_cast<int>(k);
  launch_kernel("belay_linear_swiglu_q8_" + std::string(belay::to_string(gate.constants[0].dtype)), params,
                {static_cast<std::uint32_t>(rows / 32), 1, 1}, options);
  CHECK(y.intact());
}

namespace {

constexpr float kEpsilon = 1e-5F;

}  // namespace

std::vector<float> run_norm(const kernel_tests::OpCase& op_case, const std::vector<float>& residual,
                            const std::vector<float>& weight, const QuantisedOnDevice& normed,
                            const emulator::Options& options) {
  const std::size_t rows = sizes(op_case.constants[0], 0);
  const PackedWeight matrix(op_case.constants[0]);
  const QuantisedOnDevice x(op_case.inputs[0].bytes, 1, sizes(op_case.inputs[0], 1));
  const GuardedMemory added(residual);
  const GuardedMemory scale(weight);
  const GuardedMemory y(rows * sizeof(float));
  const GuardedMemory counter(std::vector<float>(1, 0.0F));
  LinearNormParams params{};
  params.linear.matrix[0].weight = matrix.planes();
  params.linear.matrix[0].residual = added.as<float>();
  params.linear.matrix[0].y = y.as<float>();
  params.linear.matrix[0].rows = static_cast<int>(rows);
  params.linear.low = x.low.as<signed char>();
  params.linear.high = x.high.as<signed char>();
  params.linear.scales = x.scales.as<float>();
  params.linear.tokens = 1;
  params.linear.k = static_cast<int>(sizes(op_case.inputs[0], 1));
  params.weight = scale.as<float>();
  params.low = normed.low.as<signed char>();
  params.high = normed.high.as<signed char>();
  params.scales = normed.scales.as<float>();
  params.counter = counter.as<unsigned>();
  params.epsilon = kEpsilon;
  launch_kernel("belay_linear_norm_q8_" + std::string(belay::to_string(op_case.constants[0].dtype)), params,
                {blocks_of(rows, BELAY_LINEAR_GEMV_ROWS), 1, 1}, options);
  CHECK(y.intact());
  CHECK(normed.intact());
  CHECK(counter.floats()[0] == 0.0F);  // for the next launch
  return y.floats();
}

void norm_row(const std::vector<float>& x, const std::vector<float>& weight,
              const QuantisedOnDevice& normed) {
  const GuardedMemory row(x);
  const GuardedMemory scale(weight);
  RmsNormParams params{};
  params.x = row.as<float>();
  params.weight = scale.as<float>();
  params.low = normed.low.as<signed char>();
  params.high = normed.high.as<signed char>();
  params.scales = normed.scales.as<float>();
  params.rows = 1;
  params.d = static_cast<int>(x.size());
  params.epsilon = kEpsilon;
  launch_kernel(x.size() <= BELAY_RMS_NORM_SHORT ? "belay_rms_norm_short" : "belay_rms_norm", params,
                {1, 1, 1}, {});
}

}  // namespace belay::cuda_tests
