// The template plugin, built outside the tree, passes what our own kernels pass.
#include "tests/kernels/cases.hpp"
#include "tests/kernels/check_case.hpp"
#include "tests/support/doctest.hpp"

namespace belay::kernel_tests {
namespace {

TEST_CASE("the template computes silu_mul by the rules of the ABI") {
  const LoadedPlugin plugin("example.silu_mul", BELAY_TEMPLATE_PLUGIN);
  std::uint64_t seed = 1;
  for (const Fill fill : {Fill::kNormal, Fill::kTiny, Fill::kMixed, Fill::kNan}) {
    for (const std::size_t tokens : {0, 1, 5, 40}) {
      const Report report = check_case(plugin, silu_mul_case(tokens, 513, fill, ++seed));
      CHECK(!report.refused);
      for (const Finding& finding : report.findings) FAIL_CHECK(finding.rule, ": ", finding.text);
    }
  }
}

TEST_CASE("the template refuses other operators with a reason") {
  const LoadedPlugin plugin("example.silu_mul", BELAY_TEMPLATE_PLUGIN);
  const Report report = check_case(plugin, add_case(1, 8, Fill::kNormal, 2));
  CHECK(report.refused);
  CHECK(report.findings.empty());
}

}  // namespace
}  // namespace belay::kernel_tests
