#include "tests/kernels/check_case.hpp"

#include "core/base/format.hpp"
#include "tests/kernels/compare.hpp"

#include <algorithm>

namespace belay::kernel_tests {

RunOperands::RunOperands(const OpCase& op_case, std::uint64_t workspace_bytes)
    : workspace_(workspace_bytes, Placement::kAligned), position_(op_case.position) {
  // Half of the cases read inputs that end at an unreadable page, the others aligned ones.
  const Placement placement = op_case.seed % 2 == 0 ? Placement::kAligned : Placement::kAtPageEnd;
  for (const Operand& input : op_case.inputs) {
    input_memory_.emplace_back(input.bytes, placement);
    inputs.push_back(describe(input, input_memory_.back().data()));
  }
  for (const Operand& output : op_case.outputs) {
    output_memory_.emplace_back(output.bytes, Placement::kAligned);
    outputs.push_back(describe(output, output_memory_.back().data()));
  }
}

belay_run_t RunOperands::arguments() {
  input_pointers_.clear();
  output_pointers_.clear();
  for (const belay_tensor_t& input : inputs) input_pointers_.push_back(&input);
  for (const belay_tensor_t& output : outputs) output_pointers_.push_back(&output);
  belay_run_t run{};
  run.struct_size = sizeof run;
  run.inputs = input_pointers_.data();
  run.input_count = input_pointers_.size();
  run.outputs = output_pointers_.data();
  run.output_count = output_pointers_.size();
  run.position = position_;
  run.workspace = workspace_.data();
  run.workspace_bytes = workspace_.size();
  return run;
}

void RunOperands::check_untouched(const OpCase& op_case, Findings& findings) const {
  for (std::size_t i = 0; i < input_memory_.size(); ++i) {
    const std::vector<std::uint8_t>& before = op_case.inputs[i].bytes;
    const bool same = std::equal(before.begin(), before.end(), input_memory_[i].data());
    if (!same) findings.push_back({"input_changed", fmt::format("input {}", i)});
    if (!input_memory_[i].intact()) findings.push_back({"canary", fmt::format("beside input {}", i)});
  }
  for (std::size_t i = 0; i < output_memory_.size(); ++i) {
    if (!output_memory_[i].intact()) findings.push_back({"canary", fmt::format("beside output {}", i)});
  }
  if (!workspace_.intact()) findings.push_back({"canary", "beside the workspace"});
}

namespace {

using Outputs = std::vector<std::vector<std::uint8_t>>;

Outputs run_once(const LoadedPlugin& plugin, const OpCase& op_case, const BoundKernel& bound,
                 Threading threading, Findings& findings) {
  RunOperands operands(op_case, bound.workspace(op_case.tokens, findings));
  belay_error_t error{};
  error.struct_size = sizeof error;
  belay_run_t run = operands.arguments();
  run.error = &error;
  TestHost& host = plugin.host();
  host.threading = threading;
  host.reset();
  const std::uint32_t state = float_state();
  const belay_status_t status = bound.kernel()->run(bound.kernel(), &run);
  if (status != BELAY_OK)
    findings.push_back({"status", fmt::format("run returned {}: {}", status, error.message)});
  if (host.allocations() != 0) findings.push_back({"allocation", "run allocated memory of the host"});
  if (host.nested_parallel_for()) findings.push_back({"threads", "parallel_for inside parallel_for"});
  if (host.changed_float_state() || float_state() != state)
    findings.push_back({"float_state", "run changed MXCSR"});
  operands.check_untouched(op_case, findings);
  Outputs outputs;
  for (std::size_t i = 0; i < op_case.outputs.size(); ++i)
    outputs.emplace_back(operands.output(i).begin(), operands.output(i).end());
  return outputs;
}

// The first alternative that fits; otherwise the complaint of each.
void judge_output(const OpCase& op_case, std::size_t index, const std::vector<std::uint8_t>& bytes,
                  Report& report) {
  const std::vector<double> actual = decode(op_case.outputs[index], bytes);
  std::string problems;
  for (const Expectation& alternative : op_case.expected[index]) {
    const Comparison comparison = compare(alternative, actual);
    if (comparison.ok) {
      report.largest_ratio = std::max(report.largest_ratio, comparison.largest_ratio);
      problems.clear();
      break;
    }
    problems += fmt::format("output {}: {}; ", index, comparison.problem);
  }
  if (!problems.empty()) report.findings.push_back({"value", problems});
  if (index == 0 && !op_case.nmse_reference.empty()) {
    const double error = nmse(op_case.nmse_reference, actual);
    if (!(error <= op_case.nmse_limit))
      report.findings.push_back({"nmse", fmt::format("{:.3g} above {:.3g}", error, op_case.nmse_limit)});
  }
}

void check_workspace_grows(const BoundKernel& bound, std::uint64_t tokens, Findings& findings) {
  const std::uint64_t small = bound.workspace(tokens, findings);
  if (bound.workspace(tokens + 1, findings) < small)
    findings.push_back({"status", "workspace shrinks as tokens grow"});
}

}  // namespace

Report check_case(const LoadedPlugin& plugin, const OpCase& op_case) {
  Report report;
  const OpDescription question(op_case, {});
  const auto answer = ask(plugin, *question.get(), report.findings);
  if (!answer) return report;
  if (answer->yes == 0) {
    report.refused = true;
    report.refusal = answer->detail;
    return report;
  }
  const BoundKernel bound(plugin, op_case, report.findings);
  if (bound.kernel() == nullptr) return report;
  check_workspace_grows(bound, op_case.tokens, report.findings);
  const Outputs serial = run_once(plugin, op_case, bound, Threading::kSerial, report.findings);
  for (std::size_t i = 0; i < serial.size(); ++i) judge_output(op_case, i, serial[i], report);
  const Outputs split = run_once(plugin, op_case, bound, Threading::kManyRanges, report.findings);
  if (serial != split) report.findings.push_back({"threads", "many ranges give another result than one"});
  bound.check_untouched(op_case, report.findings);
  return report;
}

}  // namespace belay::kernel_tests
