#include "tests/plugins/cuda_sm61/kernels/emulated.hpp"

#include "tests/kernels/compare.hpp"
#include "tests/plugins/cuda_sm61/emulator/kernels.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <stdexcept>

namespace belay::cuda_tests {

using kernel_tests::OpCase;
using kernel_tests::Operand;

void launch_named(const std::string& name, void* params, emulator::Extent grid,
                  const emulator::Options& options) {
  const emulator::Kernel* kernel = emulator::find_kernel(name);
  if (kernel == nullptr) throw std::runtime_error("no kernel " + name);
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;  // as a host does not launch it
  void* args[] = {params};
  emulator::launch(kernel->run, args, grid, {kernel->threads}, 0, options);
}

namespace {

std::vector<std::unique_ptr<GuardedMemory>> copies(const std::vector<Operand>& operands) {
  std::vector<std::unique_ptr<GuardedMemory>> result;
  result.reserve(operands.size());
  for (const Operand& operand : operands) {
    result.push_back(std::make_unique<GuardedMemory>(std::span<const std::uint8_t>(operand.bytes)));
  }
  return result;
}

void expect_untouched(const std::vector<Operand>& operands,
                      const std::vector<std::unique_ptr<GuardedMemory>>& memories) {
  for (std::size_t i = 0; i < operands.size(); ++i) {
    CHECK(std::ranges::equal(memories[i]->bytes(), operands[i].bytes));
    CHECK(memories[i]->intact());
  }
}

std::string describe(const emulator::Options& options) {
  constexpr const char* kNames[] = {"forward", "reverse", "shuffled", "greedy"};
  return std::string(kNames[static_cast<std::size_t>(options.order)]) + " " + std::to_string(options.seed);
}

}  // namespace

Operands::Operands(const OpCase& op_case)
    : inputs(copies(op_case.inputs)),
      constants(copies(op_case.constants)),
      outputs(copies(op_case.outputs)) {}

std::vector<std::uint8_t> joined(std::initializer_list<const GuardedMemory*> memories) {
  std::vector<std::uint8_t> bytes;
  for (const GuardedMemory* memory : memories) {
    CHECK(memory->intact());
    bytes.insert(bytes.end(), memory->bytes().begin(), memory->bytes().end());
  }
  return bytes;
}

std::vector<std::uint8_t> in_every_schedule(const std::string& label, const RunBytes& run) {
  INFO(label);
  std::vector<std::uint8_t> first;
  for (const emulator::Options& options : all_schedules()) {
    INFO(describe(options));
    std::vector<std::uint8_t> bytes = run(options);
    if (first.empty()) first = bytes;
    CHECK(bytes == first);
  }
  return first;
}

namespace {

void judge(const OpCase& op_case, const Operands& operands) {
  for (std::size_t i = 0; i < operands.outputs.size(); ++i) {
    const auto actual = kernel_tests::decode(op_case.outputs[i], operands.outputs[i]->bytes());
    const auto comparison = kernel_tests::compare(op_case.expected[i][0], actual);
    CHECK_MESSAGE(comparison.ok, comparison.problem);
  }
}

}  // namespace

void expect_right(const OpCase& op_case, const std::string& kernel, const Run& run) {
  const std::string label = kernel + ": " + op_case.label;
  INFO(label);
  bool judged = false;
  in_every_schedule(label, [&](const emulator::Options& options) {
    const Operands operands(op_case);
    run(operands, options);
    expect_untouched(op_case.inputs, operands.inputs);
    expect_untouched(op_case.constants, operands.constants);
    if (!judged) judge(op_case, operands);  // the other schedules have to give the same bits
    judged = true;
    std::vector<std::uint8_t> bytes;
    for (const auto& output : operands.outputs) {
      const auto more = joined({output.get()});
      bytes.insert(bytes.end(), more.begin(), more.end());
    }
    return bytes;
  });
}

const std::vector<emulator::Options>& all_schedules() {
  using emulator::Order;
  static const std::vector<emulator::Options> schedules = {{.order = Order::kForward},
                                                           {.order = Order::kReverse},
                                                           {.order = Order::kShuffled, .seed = 5},
                                                           {.order = Order::kGreedy, .seed = 0},
                                                           {.order = Order::kGreedy, .seed = 1}};
  return schedules;
}

std::uint64_t new_seed() {
  static std::uint64_t seed = 9000;
  return ++seed;
}

}  // namespace belay::cuda_tests
