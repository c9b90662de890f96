// The plugin's own promises; that its numbers are right is for tests/kernels.
#include "tests/kernels/bound_kernel.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/support/doctest.hpp"

#include <dlfcn.h>

#include <memory>
#include <string>

namespace belay::kernel_tests {
namespace {

bool library_is_open() {
  void* opened = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_NOLOAD);
  if (opened != nullptr) dlclose(opened);
  return opened != nullptr;
}

OpCase linear(std::size_t tokens, DType dtype = DType::kF32) {
  return linear_case(dtype, BELAY_NUMERICS_F32, {.tokens = tokens, .k = 32, .n = 20}, Fill::kNormal,
                     WeightFill::kNormal, 4);
}

std::string refusal(const LoadedPlugin& plugin, const OpDescription& description) {
  Findings findings;
  const auto answer = ask(plugin, *description.get(), findings);
  REQUIRE(findings.empty());
  return answer->yes != 0 ? "" : answer->detail;
}

TEST_CASE("OpenBLAS is opened for the first kernel, not before") {
  const LoadedPlugin plugin("cpu_openblas", BELAY_TEST_PLUGIN);
  CHECK(refusal(plugin, OpDescription(linear(9), {})).empty());
  CHECK(!library_is_open());
  Findings findings;
  const BoundKernel bound(plugin, linear(9), findings);
  CHECK(library_is_open() == (bound.kernel() != nullptr));
  if (bound.kernel() == nullptr) {
    REQUIRE(findings.size() == 1);
    MESSAGE("no OpenBLAS here: " << findings[0].text);
  }
}

TEST_CASE("a number of tokens that is known and small is left to others") {
  const LoadedPlugin plugin("cpu_openblas", BELAY_TEST_PLUGIN);
  for (const std::int64_t tokens : {0, 1, 7, 8, 100}) {
    const OpCase op_case = linear(1);
    OpDescription description(op_case, {});
    description.inputs[0].shape[0] = description.outputs[0].shape[0] = tokens;
    CAPTURE(tokens);
    CHECK(refusal(plugin, description) == (tokens < 8 ? "OpenBLAS pays from 8 tokens on" : ""));
  }
}

TEST_CASE("weights that would have to be unpacked are left to others") {
  const LoadedPlugin plugin("cpu_openblas", BELAY_TEST_PLUGIN);
  for (const DType dtype : {DType::kF16, DType::kBF16, DType::kQ8_0})
    CHECK(refusal(plugin, OpDescription(linear(9, dtype), {})).find("f32 only") != std::string::npos);
}

}  // namespace
}  // namespace belay::kernel_tests
