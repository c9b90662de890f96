// The faulty plugins do what their README says: a test that relies on a fault must not pass because the fault
// is gone.
#include "tests/kernels/cases.hpp"
#include "tests/kernels/check_case.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>

namespace belay::kernel_tests {
namespace {

using Settings = std::map<std::string, std::string, std::less<>>;

std::string library(const std::string& name) {
  return std::string(BELAY_FAULTY_DIR) + "/" + name + "/libbelay_test." + name + ".so";
}

LoadedPlugin faulty(const Settings& settings) { return {"test.faulty", library("faulty"), settings}; }

std::vector<OpCase> some_cases() {
  const CacheShape cache{
      .dtype = DType::kF16, .tokens = 3, .heads = 4, .kv_heads = 2, .d = 16, .position = 62};
  return {linear_case(DType::kQ4_1, BELAY_NUMERICS_ACT_Q8, {.tokens = 3, .k = 64, .n = 5, .bias = true},
                      Fill::kNormal, WeightFill::kNormal, 4),
          linear_case(DType::kQ6_K, BELAY_NUMERICS_F32, {.tokens = 1, .k = 256, .n = 5}, Fill::kNormal,
                      WeightFill::kNormal, 3),
          embed_case(DType::kQ8_0, 3, 64, 10, WeightFill::kNormal, 4),
          rms_norm_case({.tokens = 3, .d = 16}, 1e-6F, Fill::kNormal, 4),
          rope_case({.tokens = 3, .heads = 2, .freq_factors = true}, Fill::kNormal, 4),
          kv_write_case(cache, Fill::kNormal, 4),
          attention_case(cache, Fill::kNormal, false, 4),
          add_case(3, 16, Fill::kNormal, 4)};
}

bool only(const Report& report, const std::string& rule) {
  return !report.findings.empty() &&
         std::all_of(report.findings.begin(), report.findings.end(),
                     [&](const Finding& finding) { return finding.rule == rule; });
}

bool found(const Report& report, const std::string& rule) {
  return std::any_of(report.findings.begin(), report.findings.end(),
                     [&](const Finding& finding) { return finding.rule == rule; });
}

// One run with the plugin's first kernel for the case.
belay_status_t run_once(const LoadedPlugin& plugin, const OpCase& op_case, RunOperands& operands,
                        belay_error_t& error) {
  Findings findings;
  const BoundKernel bound(plugin, op_case, findings);
  REQUIRE(bound.kernel() != nullptr);
  belay_run_t run = operands.arguments();
  run.error = &error;
  return bound.kernel()->run(bound.kernel(), &run);
}

TEST_CASE("without settings, and with a layout of its own, it is sound") {
  for (const Settings& settings : {Settings{}, Settings{{"pack", "1"}}}) {
    const LoadedPlugin plugin = faulty(settings);
    for (const OpCase& op_case : some_cases()) {
      const Report report = check_case(plugin, op_case);
      CHECK(!report.refused);
      for (const Finding& finding : report.findings)
        FAIL_CHECK(op_case.label, ": ", finding.rule, ": ", finding.text);
    }
  }
}

TEST_CASE("pack asks for a layout of its own exactly for ops with constants") {
  const LoadedPlugin plugin = faulty({{"pack", "1"}});
  const OpCase linear = some_cases()[0];
  const OpDescription description(linear, {});
  belay_packed_t form{};
  form.struct_size = sizeof form;
  REQUIRE(plugin.compute().packed(plugin.instance(), description.get(), &form, nullptr) == BELAY_OK);
  CHECK(form.layout == 1);
  CHECK(form.bytes > linear.constants[0].bytes.size());
  const OpCase add = some_cases().back();
  const OpDescription without(add, {});
  REQUIRE(plugin.compute().packed(plugin.instance(), without.get(), &form, nullptr) == BELAY_OK);
  CHECK(form.layout == 0);
}

TEST_CASE("it fails exactly the run that fail_at names, with the scope that was asked") {
  const LoadedPlugin plugin = faulty({{"fail_at", "2"}, {"fail_scope", "device"}});
  const OpCase op_case = add_case(2, 8, Fill::kNormal, 4);
  for (int run = 0; run < 5; ++run) {
    RunOperands operands(op_case, 0);
    belay_error_t error{};
    error.struct_size = sizeof error;
    const belay_status_t status = run_once(plugin, op_case, operands, error);
    CHECK((status == BELAY_OK) == (run != 2));
    if (run == 2) CHECK(error.scope == BELAY_SCOPE_DEVICE);
    if (run == 2)
      CHECK(std::equal(op_case.outputs[0].bytes.begin(), op_case.outputs[0].bytes.end(),
                       operands.output(0).begin()));
  }
}

TEST_CASE("fail_op counts and fails only that operator, fail_times several runs") {
  const LoadedPlugin plugin = faulty({{"fail_at", "0"}, {"fail_times", "2"}, {"fail_op", BELAY_OP_GELU}});
  CHECK(check_case(plugin, add_case(2, 8, Fill::kNormal, 4)).findings.empty());
  CHECK(only(check_case(plugin, gelu_case(BELAY_GELU_ERF, 2, 8, Fill::kNormal, 4)), "status") ==
        false);  // value too: unwritten
  CHECK(check_case(plugin, gelu_case(BELAY_GELU_ERF, 2, 8, Fill::kNormal, 4)).findings.empty());
}

TEST_CASE("a partial failure spoils outputs and nothing else") {
  const LoadedPlugin plugin = faulty({{"fail_at", "0"}, {"fail_times", "1000"}, {"fail_how", "partial"}});
  for (const OpCase& op_case : some_cases()) {
    const Report report = check_case(plugin, op_case);
    const bool expected =
        std::all_of(report.findings.begin(), report.findings.end(), [](const Finding& finding) {
          return finding.rule == "status" || finding.rule == "value" || finding.rule == "nmse";
        });
    CHECK_MESSAGE(expected, op_case.label);
    CHECK_MESSAGE(found(report, "value"), op_case.label);
  }
}

TEST_CASE("a partial kv_write leaves the rows of other positions alone") {
  const LoadedPlugin plugin = faulty({{"fail_at", "0"}, {"fail_how", "partial"}});
  const CacheShape shape{.tokens = 3, .kv_heads = 2, .d = 16, .position = 62};
  const OpCase op_case = kv_write_case(shape, Fill::kNormal, 4);
  RunOperands operands(op_case, 0);
  belay_error_t error{};
  error.struct_size = sizeof error;
  CHECK(run_once(plugin, op_case, operands, error) != BELAY_OK);
  const std::size_t row_bytes = 16 * sizeof(float);
  const std::size_t head_bytes = op_case.outputs[0].bytes.size() / 2;
  for (std::size_t i = 0; i < op_case.outputs[0].bytes.size(); ++i) {
    const std::size_t position = i % head_bytes / row_bytes;
    const bool ours = position >= 62 && position < 65;
    if (!ours && operands.output(0)[i] != op_case.outputs[0].bytes[i])
      FAIL("byte ", i, " at position ", position, " changed");
    if (ours && operands.output(0)[i] != 0x5A) FAIL("byte ", i, " at position ", position, " is not spoiled");
  }
}

TEST_CASE("nan returns OK with outputs that are not finite, throw becomes a status") {
  const OpCase op_case = add_case(2, 8, Fill::kNormal, 4);
  belay_error_t error{};
  error.struct_size = sizeof error;
  RunOperands operands(op_case, 0);
  CHECK(run_once(faulty({{"fail_at", "0"}, {"fail_how", "nan"}}), op_case, operands, error) == BELAY_OK);
  float first = 0.0F;
  std::memcpy(&first, operands.output(0).data(), sizeof first);
  CHECK(std::isnan(first));
  CHECK(run_once(faulty({{"fail_at", "0"}, {"fail_how", "throw"}}), op_case, operands, error) ==
        BELAY_INTERNAL);
}

TEST_CASE("a setting that it does not know is an error") {
  CHECK_THROWS_AS(faulty({{"fail_how", "politely"}}), std::runtime_error);
  CHECK_THROWS_AS(faulty({{"fail_at", "soon"}}), std::runtime_error);
  CHECK_THROWS_AS(faulty({{"fail_scope", "galaxy"}}), std::runtime_error);
}

TEST_CASE("throws_everywhere throws where it was told, and the host gets a status") {
  const OpCase op_case = add_case(1, 8, Fill::kNormal, 4);
  CHECK_THROWS_AS(LoadedPlugin("t", library("throws_everywhere"), {{"throw_in", "open"}}),
                  std::runtime_error);
  for (const char* where : {"supports", "bind", "run"}) {
    const LoadedPlugin plugin("t", library("throws_everywhere"), {{"throw_in", where}});
    const Report report = check_case(plugin, op_case);
    CHECK_MESSAGE(found(report, "status"), where);
  }
}

TEST_CASE("bad_known_answer adds wrongly and says OK") {
  const LoadedPlugin plugin("t", library("bad_known_answer"));
  CHECK(only(check_case(plugin, add_case(1, 8, Fill::kNormal, 4)), "value"));
}

}  // namespace
}  // namespace belay::kernel_tests
