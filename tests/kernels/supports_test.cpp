// supports: honest about what it cannot do, the same answer to everybody, and no work.
#include "tests/kernels/bound_kernel.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/support/doctest.hpp"

#include <atomic>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace belay::kernel_tests {
namespace {

using Break = std::function<void(OpDescription&)>;

OpCase small_linear(DType dtype = DType::kQ8_0) {
  return linear_case(dtype, BELAY_NUMERICS_F32, {.tokens = 2, .k = 256, .n = 4}, Fill::kNormal,
                     WeightFill::kNormal, 4);
}

// A description that is broken in one way must be answered NO, with a reason and words.
void expect_no(const OpCase& op_case, const std::string& what, const Break& break_it) {
  for (const auto& plugin : loaded_plugins()) {
    const std::string where = plugin->name() + ": " + op_case.op + " with " + what;
    INFO(where);
    OpDescription description(op_case, {});
    break_it(description);
    Findings findings;
    const auto answer = ask(*plugin, description.op, findings);
    for (const Finding& finding : findings) FAIL_CHECK(where, ": ", finding.text);
    if (answer && answer->yes != 0) FAIL_CHECK(where, ": answered YES");
  }
}

TEST_CASE("supports refuses ops that do not exist") {
  for (const char* id :
       {"belay.linear/2", "belay.linear", "belay.linear/1x", "belay.", "", "com.acme.conv/1"}) {
    expect_no(small_linear(), std::string("id ") + id, [&](OpDescription& d) {
      d.op.id = {id, std::strlen(id)};
    });
  }
}

TEST_CASE("supports refuses operands that are missing or too many") {
  for (const OpCase& linear : {small_linear(), small_linear(DType::kF32)}) {
    expect_no(linear, "no inputs", [](OpDescription& d) { d.op.input_count = 0; });
    expect_no(linear, "no constants", [](OpDescription& d) { d.op.constant_count = 0; });
    expect_no(linear, "no outputs", [](OpDescription& d) { d.op.output_count = 0; });
    expect_no(linear, "no attributes", [](OpDescription& d) {
      d.op.attributes = nullptr;
      d.op.attributes_size = 0;
    });
    expect_no(linear, "cut attributes", [](OpDescription& d) { d.op.attributes_size = 4; });
  }
  expect_no(add_case(2, 8, Fill::kNormal, 4), "one input", [](OpDescription& d) { d.op.input_count = 1; });
  expect_no(attention_case({.tokens = 1}, Fill::kNormal, false, 4), "no caches",
            [](OpDescription& d) { d.op.input_count = 1; });
}

TEST_CASE("supports refuses ranks, types and shapes that do not fit") {
  for (const OpCase& linear : {small_linear(), small_linear(DType::kF32)}) {
    expect_no(linear, "x of rank 9", [](OpDescription& d) { d.inputs[0].rank = 9; });
    expect_no(linear, "x of rank 0", [](OpDescription& d) { d.inputs[0].rank = 0; });
    expect_no(linear, "weight of rank 1", [](OpDescription& d) { d.constants[0].rank = 1; });
    expect_no(linear, "weight of rank 3", [](OpDescription& d) { d.constants[0].rank = 3; });
    expect_no(linear, "K of x unlike the weight's", [](OpDescription& d) { d.inputs[0].shape[1] = 128; });
    expect_no(linear, "N of the output unlike the weight's",
              [](OpDescription& d) { d.outputs[0].shape[1] = 5; });
    expect_no(linear, "K not a multiple of the block", [](OpDescription& d) {
      d.constants[0].shape[1] = 250;
      d.inputs[0].shape[1] = 250;
    });
    expect_no(linear, "negative N", [](OpDescription& d) {
      d.constants[0].shape[0] = -4;
      d.outputs[0].shape[1] = -4;
    });
    expect_no(linear, "x of i32", [](OpDescription& d) { d.inputs[0].dtype = BELAY_DTYPE_I32; });
    expect_no(linear, "an unknown weight type", [](OpDescription& d) { d.constants[0].dtype = 999; });
    expect_no(linear, "an i64 weight", [](OpDescription& d) { d.constants[0].dtype = BELAY_DTYPE_I64; });
    expect_no(linear, "an unknown layout", [](OpDescription& d) { d.constants[0].layout = 77; });
    expect_no(linear, "an unknown number of outputs",
              [](OpDescription& d) { d.constants[0].shape[0] = BELAY_DYNAMIC; });
    expect_no(linear, "a weight whose rows overlap",
              [](OpDescription& d) { d.constants[0].stride_bytes[0] = 34; });
  }
}

TEST_CASE("supports refuses attributes out of their range") {
  const OpCase rope = rope_case({.tokens = 2}, Fill::kNormal, 4);
  const auto change = [](OpDescription& d, auto edit) {
    static belay_rope_attributes_t attributes;
    std::memcpy(&attributes, d.op.attributes, sizeof attributes);
    edit(attributes);
    d.op.attributes = &attributes;
  };
  expect_no(rope, "an odd rotary part",
            [&](OpDescription& d) { change(d, [](auto& a) { a.rotary_dim = 63; }); });
  expect_no(rope, "a rotary part above D",
            [&](OpDescription& d) { change(d, [](auto& a) { a.rotary_dim = 66; }); });
  expect_no(rope, "an unknown style", [&](OpDescription& d) { change(d, [](auto& a) { a.style = 9; }); });
  expect_no(linear_case(DType::kF32, 9, {.tokens = 1}, Fill::kNormal, WeightFill::kNormal, 4),
            "unknown numerics", [](OpDescription&) {});
  expect_no(gelu_case(9, 1, 8, Fill::kNormal, 4), "an unknown form", [](OpDescription&) {});
  CacheShape uneven{.tokens = 1, .heads = 3, .kv_heads = 3};
  OpCase attention = attention_case(uneven, Fill::kNormal, false, 4);
  expect_no(attention, "heads that are no multiple of kv_heads", [](OpDescription& d) {
    d.inputs[0].shape[1] = 4;
    d.outputs[0].shape[1] = 4;
  });
  expect_no(attention, "cache blocks of 32 positions",
            [](OpDescription& d) { d.inputs[1].shape[2] = d.inputs[2].shape[2] = 32; });
  expect_no(attention, "two types of cache", [](OpDescription& d) { d.inputs[1].dtype = BELAY_DTYPE_F16; });
}

// What the plugin answers to the ops in one call.
std::vector<belay_support_t> answers(const LoadedPlugin& plugin, const std::vector<belay_op_t>& ops) {
  std::vector<belay_support_t> batch(ops.size());
  for (belay_support_t& answer : batch) answer.struct_size = sizeof answer;
  CHECK(plugin.compute().supports(plugin.instance(), ops.data(), ops.size(), batch.data(), nullptr) ==
        BELAY_OK);
  return batch;
}

bool same(const std::vector<belay_support_t>& a, const std::vector<belay_support_t>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof a[0]) == 0;
}

// How many of the batches asked for from four threads at once were not answered as `expected`.
int wrong_batches(const LoadedPlugin& plugin, const std::vector<belay_op_t>& ops,
                  const std::vector<belay_support_t>& expected) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 250;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round)
        if (!same(answers(plugin, ops), expected)) ++wrong;
    });
  }
  for (std::thread& thread : threads) thread.join();
  return wrong;
}

TEST_CASE("supports answers a batch as it answers one by one, from any thread, and allocates nothing") {
  const OpCase cases[] = {small_linear(), add_case(2, 8, Fill::kNormal, 4), small_linear(DType::kQ4_K),
                          gelu_case(9, 1, 8, Fill::kNormal, 4)};
  for (const auto& plugin : loaded_plugins()) {
    INFO(plugin->name());
    std::vector<std::unique_ptr<OpDescription>> descriptions;
    std::vector<belay_op_t> ops;
    std::vector<belay_support_t> one_by_one;
    for (const OpCase& op_case : cases) {
      descriptions.push_back(std::make_unique<OpDescription>(op_case, std::vector<void*>{}));
      ops.push_back(descriptions.back()->op);
      one_by_one.push_back(answers(*plugin, {ops.back()}).front());
    }
    plugin->host().reset();
    CHECK(wrong_batches(*plugin, ops, one_by_one) == 0);
    CHECK(plugin->host().allocations() == 0);
    CHECK(plugin->compute().supports(plugin->instance(), nullptr, 0, nullptr, nullptr) == BELAY_OK);
  }
}

}  // namespace
}  // namespace belay::kernel_tests
