// The harness itself: each fault of the broken plugin is caught, by the rule that it breaks, and a sound
// plugin passes.
#include "tests/kernels/cases.hpp"
#include "tests/kernels/check_case.hpp"
#include "tests/support/doctest.hpp"

#include <immintrin.h>

#include <algorithm>
#include <string>
#include <utility>

namespace belay::kernel_tests {
namespace {

Report run_broken(const std::string& fault, const OpCase& op_case) {
  const LoadedPlugin plugin("test.broken", BELAY_BROKEN_PLUGIN, {{"fault", fault}});
  return check_case(plugin, op_case);
}

bool found(const Report& report, const std::string& rule) {
  return std::any_of(report.findings.begin(), report.findings.end(),
                     [&](const Finding& finding) { return finding.rule == rule; });
}

TEST_CASE("a sound plugin has no findings") {
  for (const std::uint64_t seed : {2, 3}) {
    const Report report = run_broken("", add_case(3, 17, Fill::kNormal, seed));
    for (const Finding& finding : report.findings) FAIL_CHECK(finding.rule, ": ", finding.text);
    CHECK(!report.refused);
    CHECK(report.largest_ratio > 0.0);
  }
}

TEST_CASE("each fault is found by its rule") {
  const std::pair<const char*, const char*> faults[] = {
      {"wrong", "value"},
      {"skips_last", "value"},
      {"writes_past_output", "canary"},
      {"fails", "status"},
      {"depends_on_worker", "threads"},
      {"writes_before_output", "canary"},
      {"allocates", "allocation"},
      {"changes_input", "input_changed"},
      {"writes_past_workspace", "canary"},
      {"fickle", "supports"},
      {"flushes_denormals", "float_state"},
      {"workspace_shrinks", "status"},
  };
  for (const auto& [name, rule] : faults) {
    const std::string fault = name;
    INFO(fault);
    const std::uint32_t state = _mm_getcsr();
    CHECK(found(run_broken(fault, add_case(7, 33, Fill::kNormal, 4)), rule));
    _mm_setcsr(state);
  }
}

TEST_CASE("a finite number in place of a NaN is found") {
  CHECK(found(run_broken("hides_nan", add_case(2, 9, Fill::kNan, 4)), "value"));
  CHECK(found(run_broken("hides_nan", add_case(2, 9, Fill::kInfinity, 4)), "value"));
  CHECK(run_broken("", add_case(2, 9, Fill::kNan, 4)).findings.empty());
}

TEST_CASE("a refusal is reported, and needs a reason") {
  const Report refused = run_broken("", silu_mul_case(1, 8, Fill::kNormal, 4));
  CHECK(refused.refused);
  CHECK(refused.refusal == "only add");
  CHECK(refused.findings.empty());
  CHECK(found(run_broken("no_without_reason", silu_mul_case(1, 8, Fill::kNormal, 4)), "supports"));
}

}  // namespace
}  // namespace belay::kernel_tests
