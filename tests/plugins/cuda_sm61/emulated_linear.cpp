#include "tests/plugins/cuda_sm61/emulated_linear.hpp"

#include "plugins/cuda_sm61/weights/pack.hpp"
#include "tests/plugins/cuda_sm61/emulator/kernels.hpp"

#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace belay::cuda_tests {

namespace {

constexpr std::size_t kAlignment = 256;

// ASan sees the end of what is allocated, so it is not rounded up. (operator new keeps the size;
// aligned_alloc wants a multiple of the alignment.)
void* allocate(std::size_t bytes) { return ::operator new (bytes, std::align_val_t{kAlignment}); }

std::size_t sizes(const kernel_tests::Operand& operand, std::size_t axis) {
  return static_cast<std::size_t>(operand.shape.at(axis));
}

}  // namespace

void DeviceMemory::Free::operator()(void* memory) const {
  ::operator delete (memory, std::align_val_t{kAlignment});
}

DeviceMemory::DeviceMemory(std::size_t bytes) : memory_(allocate(bytes)), size_(bytes) {
  if (bytes != 0) std::memset(memory_.get(), 0xff, bytes);
}

DeviceMemory::DeviceMemory(std::span<const std::uint8_t> bytes) : DeviceMemory(bytes.size()) {
  if (!bytes.empty()) std::memcpy(memory_.get(), bytes.data(), bytes.size());
}

PackedWeight::PackedWeight(const kernel_tests::Operand& weight)
    : layout(cuda::packed_layout(static_cast<std::int32_t>(weight.dtype), weight.shape[0], weight.shape[1])
                 .value()),
      memory(static_cast<std::size_t>(layout.bytes)) {
  cuda::pack({static_cast<std::int32_t>(weight.dtype), weight.shape[0], weight.shape[1], weight.bytes.data(),
              memory.as<std::uint8_t>()});
}

namespace {

template <class Params>
void launch_by_name(const std::string& name, Params params, emulator::Extent grid,
                    const emulator::Options& options) {
  const emulator::Kernel* kernel = emulator::find_kernel(name);
  if (kernel == nullptr) throw std::runtime_error("no kernel " + name);
  void* args[] = {&params};
  emulator::launch(kernel->run, args, grid, {kernel->threads, 1, 1}, 0, options);
}

std::uint32_t rounded_up(std::size_t count, std::size_t unit) {
  return static_cast<std::uint32_t>((count + unit - 1) / unit);
}

}  // namespace

QuantisedOnDevice::QuantisedOnDevice(std::size_t block_count)
    : blocks(block_count), low(16 * block_count), high(16 * block_count), scales(8 * block_count) {}

QuantisedOnDevice::QuantisedOnDevice(std::span<const std::uint8_t> x, std::size_t tokens, std::size_t k,
                                     const emulator::Options& options)
    : QuantisedOnDevice(tokens * k / 32) {
  DeviceMemory values(x);
  LinearQuantiseParams params{};
  params.x = values.as<float>();
  params.low = low.as<signed char>();
  params.high = high.as<signed char>();
  params.scales = scales.as<float>();
  params.blocks = static_cast<long long>(blocks);
  launch_by_name("belay_linear_quantise", params, {rounded_up(blocks, BELAY_LINEAR_QUANTISE_BLOCKS), 1, 1},
                 options);
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
    blocks += rounded_up(sizes(op_case->constants[0], 0), rows_a_block(linear));
    if (linear.silu) break;
  }
  if (is_gemv(linear.kernel)) return {blocks, 1, 1};
  const bool small = linear.kernel == Kernel::kGemmQ8Small;
  return {rounded_up(tokens, small ? BELAY_LINEAR_GEMM_SMALL_TOKENS : BELAY_LINEAR_GEMM_TOKENS), blocks, 1};
}

// One case's operands on the device.
struct Matrix {
  explicit Matrix(const kernel_tests::OpCase& op_case)
      : weight(op_case.constants[0]),
        bias(op_case.constants.size() > 1 ? std::span<const std::uint8_t>(op_case.constants[1].bytes)
                                          : std::span<const std::uint8_t>{}),
        y(op_case.outputs[0].bytes.size()),
        rows(sizes(op_case.constants[0], 0)) {}

  [[nodiscard]] LinearMatrix params() {
    LinearMatrix matrix{};
    matrix.weight = weight.planes();
    matrix.bias = bias.size() == 0 ? nullptr : bias.as<float>();
    matrix.y = y.as<float>();
    matrix.rows = static_cast<int>(rows);
    return matrix;
  }

  PackedWeight weight;
  DeviceMemory bias;
  DeviceMemory y;
  std::size_t rows;
};

}  // namespace

std::vector<std::vector<float>> run(const Linear& linear, const emulator::Options& options) {
  const kernel_tests::Operand& x = linear.cases[0]->inputs[0];
  const std::size_t tokens = sizes(x, 0);
  const std::size_t k = sizes(x, 1);
  std::vector<Matrix> matrices;
  for (const kernel_tests::OpCase* op_case : linear.cases) matrices.emplace_back(*op_case);
  LinearParams params{};
  for (std::size_t i = 0; i < matrices.size(); ++i) params.matrix[i] = matrices[i].params();
  DeviceMemory residual(kernel_tests::to_bytes(linear.residual));
  if (!linear.residual.empty()) params.matrix[0].residual = residual.as<float>();
  if (linear.in_place) {
    std::memcpy(matrices[0].y.data(), residual.data(), residual.size());
    params.matrix[0].residual = matrices[0].y.as<float>();
  }
  params.tokens = static_cast<int>(tokens);
  params.k = static_cast<int>(k);
  params.silu = linear.silu ? 1 : 0;

  DeviceMemory values(x.bytes);
  if (is_q8(linear.kernel)) {
    QuantisedOnDevice quantised(x.bytes, tokens, k);
    params.low = quantised.low.as<signed char>();
    params.high = quantised.high.as<signed char>();
    params.scales = quantised.scales.as<float>();
    launch_by_name(kernel_name(linear, tokens), params, grid_of(linear, tokens), options);
  } else {
    params.x = values.as<float>();
    launch_by_name(kernel_name(linear, tokens), params, grid_of(linear, tokens), options);
  }
  std::vector<std::vector<float>> results;
  for (Matrix& matrix : matrices) {
    const float* y = matrix.y.as<float>();
    results.emplace_back(y, y + tokens * matrix.rows);
    if (linear.silu) break;
  }
  return results;
}

QuantisedOnDevice run_swiglu(const kernel_tests::OpCase& gate, const kernel_tests::OpCase& up,
                             const emulator::Options& options) {
  const std::size_t k = sizes(gate.inputs[0], 1);
  const std::size_t rows = sizes(gate.constants[0], 0);
  PackedWeight gate_weight(gate.constants[0]);
  PackedWeight up_weight(up.constants[0]);
  QuantisedOnDevice x(gate.inputs[0].bytes, 1, k);
  QuantisedOnDevice y(rows / 32);
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
  launch_by_name("belay_linear_swiglu_q8_" + std::string(belay::to_string(gate.constants[0].dtype)), params,
                 {static_cast<std::uint32_t>(rows / 32), 1, 1}, options);
  return y;
}

std::span<const emulator::Options> schedules() {
  using emulator::Order;
  static constexpr emulator::Options kSchedules[] = {{.order = Order::kForward},
                                                     {.order = Order::kReverse},
                                                     {.order = Order::kShuffled, .seed = 7},
                                                     {.order = Order::kGreedy, .seed = 0},
                                                     {.order = Order::kGreedy, .seed = 1}};
  return kSchedules;
}

}  // namespace belay::cuda_tests
