// What a run refuses: a caller's mistake is BELAY_INVALID_ARGUMENT, never a crash, and writes nothing outside
// the outputs.
#include "tests/kernels/bound_kernel.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/kernels/check_case.hpp"
#include "tests/support/doctest.hpp"

#include <cstring>
#include <functional>
#include <string>

namespace belay::kernel_tests {
namespace {

using Break = std::function<void(RunOperands&, belay_run_t&)>;

enum class Expect {
  kRefused,
  kHarmless,  // refused, or run as the op was described: the bytes are enough for that
};

// Binds the sound case on each plugin that offers it, and breaks the arguments of its run.
void expect_refused(const OpCase& op_case, const std::string& what, const Break& break_it,
                    Expect expect = Expect::kRefused) {
  for (const auto& plugin : loaded_plugins()) {
    if (!plugin->offers(op_case)) continue;
    const std::string where = plugin->name() + ": " + op_case.label + " with " + what;
    INFO(where);
    Findings findings;
    const BoundKernel bound(*plugin, op_case, findings);
    REQUIRE_MESSAGE(bound.kernel() != nullptr, where);
    RunOperands operands(op_case, bound.workspace(op_case.tokens, findings));
    belay_error_t error{};
    error.struct_size = sizeof error;
    belay_run_t run = operands.arguments();
    run.error = &error;
    break_it(operands, run);
    const belay_status_t status = bound.kernel()->run(bound.kernel(), &run);
    const bool fine = status == BELAY_INVALID_ARGUMENT || (status == BELAY_OK && expect == Expect::kHarmless);
    if (!fine) FAIL_CHECK(where, ": returned ", status, " ", error.message);
    if (status != BELAY_OK && error.message[0] == '\0') FAIL_CHECK(where, ": no message");
    operands.check_untouched(op_case, findings);
    for (const Finding& finding : findings) FAIL_CHECK(where, ": ", finding.rule, ": ", finding.text);
  }
}

std::vector<OpCase> one_of_each() {
  const CacheShape cache{.tokens = 3, .heads = 4, .kv_heads = 2, .d = 16, .position = 62};
  return {linear_case(DType::kQ4_0, BELAY_NUMERICS_F32, {.tokens = 3, .k = 64, .n = 5}, Fill::kNormal,
                      WeightFill::kNormal, 4),
          linear_case(DType::kQ6_K, BELAY_NUMERICS_ACT_Q8, {.tokens = 3, .k = 256, .n = 5, .bias = true},
                      Fill::kNormal, WeightFill::kNormal, 4),
          linear_case(DType::kF32, BELAY_NUMERICS_F32, {.tokens = 3, .k = 20, .n = 5, .bias = true},
                      Fill::kNormal, WeightFill::kNormal, 4),
          embed_case(DType::kQ8_0, 3, 64, 10, WeightFill::kNormal, 4),
          rms_norm_case({.tokens = 3, .d = 16}, 1e-6F, Fill::kNormal, 4),
          layer_norm_case({.tokens = 3, .d = 16}, 1e-6F, Fill::kNormal, 4),
          rope_case({.tokens = 3, .heads = 2}, Fill::kNormal, 4),
          kv_write_case(cache, Fill::kNormal, 4),
          attention_case(cache, Fill::kNormal, false, 4),
          silu_mul_case(3, 16, Fill::kNormal, 4),
          gelu_case(BELAY_GELU_ERF, 3, 16, Fill::kNormal, 4),
          add_case(3, 16, Fill::kNormal, 4)};
}

TEST_CASE("run refuses missing operands") {
  for (const OpCase& op_case : one_of_each()) {
    expect_refused(op_case, "a NULL input",
                   [](RunOperands& operands, belay_run_t&) { operands.inputs[0].data = nullptr; });
    expect_refused(op_case, "a NULL output",
                   [](RunOperands& operands, belay_run_t&) { operands.outputs[0].data = nullptr; });
    expect_refused(op_case, "too few inputs", [](RunOperands&, belay_run_t& run) { --run.input_count; });
    expect_refused(op_case, "no outputs", [](RunOperands&, belay_run_t& run) { run.output_count = 0; });
    expect_refused(op_case, "a NULL list of inputs",
                   [](RunOperands&, belay_run_t& run) { run.inputs = nullptr; });
  }
}

TEST_CASE("run refuses operands that are not as described") {
  for (const OpCase& op_case : one_of_each()) {
    const auto last = [](belay_tensor_t& tensor) -> std::int64_t& { return tensor.shape[tensor.rank - 1]; };
    expect_refused(
        op_case, "another output width",
        [&](RunOperands& operands, belay_run_t&) { last(operands.outputs[0]) += 1; }, Expect::kHarmless);
    expect_refused(op_case, "an output of too few bytes",
                   [](RunOperands& operands, belay_run_t&) { operands.outputs[0].nbytes -= 1; });
    expect_refused(op_case, "an input of too few bytes",
                   [](RunOperands& operands, belay_run_t&) { operands.inputs[0].nbytes -= 1; });
    expect_refused(
        op_case, "an input of another type",
        [](RunOperands& operands, belay_run_t&) { operands.inputs[0].dtype = BELAY_DTYPE_U8; },
        Expect::kHarmless);
    expect_refused(
        op_case, "an input of another rank",
        [](RunOperands& operands, belay_run_t&) { operands.inputs[0].rank += 1; }, Expect::kHarmless);
    expect_refused(op_case, "a negative number of tokens",
                   [](RunOperands& operands, belay_run_t&) { operands.inputs[0].shape[0] = -3; });
    expect_refused(op_case, "more tokens than the memory holds",
                   [](RunOperands& operands, belay_run_t&) { operands.inputs[0].shape[0] = 4; });
    expect_refused(op_case, "a vast number of tokens",
                   [](RunOperands& operands, belay_run_t&) { operands.inputs[0].shape[0] = INT64_MAX / 2; });
  }
}

TEST_CASE("run refuses a workspace that is one byte short") {
  for (const OpCase& op_case : one_of_each()) {
    for (const auto& plugin : loaded_plugins()) {
      if (!plugin->offers(op_case)) continue;
      Findings findings;
      const BoundKernel bound(*plugin, op_case, findings);
      REQUIRE(bound.kernel() != nullptr);
      if (bound.workspace(op_case.tokens, findings) == 0) continue;
      RunOperands operands(op_case, bound.workspace(op_case.tokens, findings));
      belay_run_t run = operands.arguments();
      run.workspace_bytes -= 1;
      const std::string where = plugin->name() + ": " + op_case.label;
      CHECK_MESSAGE(bound.kernel()->run(bound.kernel(), &run) == BELAY_INVALID_ARGUMENT, where);
      run.workspace_bytes += 1;
      run.workspace = nullptr;
      CHECK_MESSAGE(bound.kernel()->run(bound.kernel(), &run) == BELAY_INVALID_ARGUMENT, where);
    }
  }
}

TEST_CASE("run refuses ids outside the table and positions outside the cache") {
  const OpCase embed = embed_case(DType::kQ8_0, 3, 64, 10, WeightFill::kNormal, 4);
  for (const std::int32_t id : {10, -2, INT32_MAX, INT32_MIN}) {
    for (const auto& plugin : loaded_plugins()) {
      if (!plugin->offers(embed)) continue;
      OpCase bad = embed;
      std::memcpy(bad.inputs[0].bytes.data() + 4, &id, sizeof id);
      Findings findings;
      const BoundKernel bound(*plugin, bad, findings);
      REQUIRE(bound.kernel() != nullptr);
      RunOperands operands(bad, bound.workspace(3, findings));
      const belay_run_t run = operands.arguments();
      CHECK_MESSAGE(bound.kernel()->run(bound.kernel(), &run) == BELAY_INVALID_ARGUMENT, plugin->name(),
                    " id ", id);
      operands.check_untouched(bad, findings);
      CHECK(findings.empty());
    }
  }
  const CacheShape cache{.tokens = 3, .heads = 4, .kv_heads = 2, .d = 16, .position = 62};
  for (const OpCase& op_case :
       {kv_write_case(cache, Fill::kNormal, 4), attention_case(cache, Fill::kNormal, false, 4)}) {
    for (const std::uint64_t position :
         {std::uint64_t{126}, std::uint64_t{1} << 40, UINT64_MAX, UINT64_MAX - 1}) {
      expect_refused(op_case, "a position past the cache",
                     [&](RunOperands&, belay_run_t& run) { run.position = position; });
    }
  }
}

TEST_CASE("functions refuse NULL and survive it") {
  for (const auto& plugin : loaded_plugins()) {
    INFO(plugin->name());
    const belay_compute_t& compute = plugin->compute();
    const OpCase op_case = linear_case(DType::kF32, BELAY_NUMERICS_F32, {.tokens = 1, .k = 8, .n = 3},
                                       Fill::kNormal, WeightFill::kNormal, 4);
    const OpDescription description(op_case, {});
    belay_kernel_t* kernel = nullptr;
    CHECK(compute.supports(nullptr, description.get(), 1, nullptr, nullptr) == BELAY_INVALID_ARGUMENT);
    CHECK(compute.packed(plugin->instance(), nullptr, nullptr, nullptr) == BELAY_INVALID_ARGUMENT);
    CHECK(compute.bind(plugin->instance(), nullptr, nullptr, 0, &kernel, nullptr) == BELAY_INVALID_ARGUMENT);
    CHECK(compute.bind(plugin->instance(), description.get(), nullptr, 0, nullptr, nullptr) ==
          BELAY_INVALID_ARGUMENT);
    CHECK(compute.workspace(nullptr, 1, nullptr, nullptr) == BELAY_INVALID_ARGUMENT);
    compute.release(nullptr);
    Findings findings;
    const BoundKernel bound(*plugin, op_case, findings);
    REQUIRE(bound.kernel() != nullptr);
    CHECK(bound.kernel()->run(bound.kernel(), nullptr) == BELAY_INVALID_ARGUMENT);
  }
}

TEST_CASE("bind refuses what supports refused, and constants that are too short") {
  for (const auto& plugin : loaded_plugins()) {
    for (const DType dtype : {DType::kQ4_0, DType::kF32}) {
      const OpCase op_case = linear_case(dtype, BELAY_NUMERICS_F32, {.tokens = 3, .k = 64, .n = 5},
                                         Fill::kNormal, WeightFill::kNormal, 4);
      std::vector<std::uint8_t> weight = op_case.constants[0].bytes;
      for (const bool cut : {true, false}) {
        OpDescription description(op_case, {weight.data()});
        if (cut) description.constants[0].nbytes -= 1;
        if (!cut) description.inputs[0].dtype = BELAY_DTYPE_I32;
        belay_kernel_t* kernel = nullptr;
        const belay_status_t status =
            plugin->compute().bind(plugin->instance(), description.get(), nullptr, 0, &kernel, nullptr);
        CHECK_MESSAGE((status == BELAY_INVALID_ARGUMENT || status == BELAY_UNSUPPORTED), plugin->name(),
                      " returned ", status);
        CHECK(kernel == nullptr);
        plugin->compute().release(kernel);
      }
    }
  }
}

}  // namespace
}  // namespace belay::kernel_tests
