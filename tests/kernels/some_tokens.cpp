#include "tests/kernels/some_tokens.hpp"

#include "tests/kernels/check_case.hpp"
#include "tests/support/doctest.hpp"

namespace belay::kernel_tests {

OpCase some_tokens(const OpCase& op_case, std::size_t first, std::size_t count) {
  OpCase some = op_case;
  some.tokens = count;
  some.position += first;
  some.expected.clear();
  for (Operand* operand : {&some.inputs[0], &some.outputs[0]}) {
    operand->bytes = tokens_of(operand->bytes, op_case.tokens, first, count);
    operand->shape[0] = static_cast<std::int64_t>(count);
  }
  return some;
}

std::vector<std::uint8_t> tokens_of(const std::vector<std::uint8_t>& bytes, std::size_t tokens,
                                    std::size_t first, std::size_t count) {
  const std::size_t size = bytes.size() / tokens;
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(first * size);
  return {begin, begin + static_cast<std::ptrdiff_t>(count * size)};
}

bool promises_same_bits(const LoadedPlugin& plugin, const OpCase& op_case) {
  Findings findings;
  const OpDescription question(op_case, {});
  const auto answer = ask(plugin, *question.get(), findings);
  return answer && answer->yes != 0 && answer->determinism == BELAY_DETERMINISM_BITWISE;
}

std::vector<std::uint8_t> output_of(const LoadedPlugin& plugin, const OpCase& op_case, Layout layout) {
  Findings findings;
  const BoundKernel bound(plugin, op_case, findings, layout);
  REQUIRE(bound.kernel() != nullptr);
  RunOperands operands(op_case, bound.workspace(op_case.tokens, findings));
  const belay_run_t arguments = operands.arguments();
  plugin.host().threading = Threading::kSerial;
  REQUIRE(bound.kernel()->run(bound.kernel(), &arguments) == BELAY_OK);
  REQUIRE(findings.empty());
  return {operands.output(0).begin(), operands.output(0).end()};
}

}  // namespace belay::kernel_tests
