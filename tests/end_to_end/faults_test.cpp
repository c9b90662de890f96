// A plugin that fails its k-th call, for every k of a short generation and for every way to fail: the text is
// that of the run without faults on the same assignment of ops to plugins, bit by bit.
#include "tests/support/doctest.hpp"
#include "tests/support/test_engine.hpp"
#include "tests/support/tiny_model.hpp"

#include <fstream>

using namespace belay;  // NOLINT(google-build-using-namespace)

namespace {

const std::filesystem::path kFaulty = BELAY_TEST_FAULTY_DIR;
const std::vector<std::int32_t> kPrompt = {5, 17, 42, 99, 3};
constexpr std::uint64_t kTokens = 6;

std::filesystem::path tiny_model(const std::string& name, const test::TinyModelSpec& spec) {
  std::filesystem::path path = std::filesystem::path(BELAY_TEST_BINARY_DIR) / (name + ".gguf");
  const auto bytes = test::make_tiny_model(spec);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return path;
}

using Settings = std::map<std::string, std::string, std::less<>>;

struct Outcome {
  std::vector<std::int32_t> tokens;
  std::vector<std::uint8_t> assignment;
  std::vector<dispatch::Fallback> fallbacks;
  std::vector<float> last_logits;
};

Outcome run(const std::filesystem::path& model, Settings faults, std::vector<std::uint8_t> replay = {}) {
  dispatch::AssignmentHook hook;
  hook.replay = std::move(replay);
  test::EngineSpec spec{
      .model = model, .plugins = {"test.faulty", "cpu_scalar"}, .further_folders = {kFaulty}};
  spec.dispatch.hook = &hook;
  spec.plugin_options = std::move(faults);
  spec.threads = 1;
  test::TestEngine engine(spec);
  Outcome outcome;
  outcome.tokens = engine.generate(kPrompt, kTokens);
  outcome.last_logits.assign(engine.session().logits().begin(), engine.session().logits().end());
  outcome.assignment = hook.recorded;
  outcome.fallbacks = engine.assembly().engine().fallbacks();
  return outcome;
}

void check_every_call(const std::filesystem::path& model, const std::string& how, std::size_t stride) {
  const Outcome healthy = run(model, {});
  REQUIRE(healthy.fallbacks.empty());
  REQUIRE(healthy.assignment.size() > 100);
  std::size_t checked = 0;
  for (std::size_t k = 0; k < healthy.assignment.size(); k += stride) {
    CAPTURE(k);
    CAPTURE(how);
    const Outcome faulty =
        run(model, {{"test.faulty.fail_at", std::to_string(k)}, {"test.faulty.fail_how", how}});
    REQUIRE(faulty.fallbacks.size() == 1);
    REQUIRE(faulty.fallbacks[0].count == 1);
    REQUIRE(faulty.fallbacks[0].from == "test.faulty");
    REQUIRE(faulty.fallbacks[0].to == "cpu_scalar");
    REQUIRE(faulty.assignment[k] != healthy.assignment[k]);
    const Outcome replayed = run(model, {}, faulty.assignment);
    REQUIRE(faulty.tokens == replayed.tokens);
    REQUIRE(faulty.last_logits == replayed.last_logits);
    ++checked;
  }
  MESSAGE(how << ": " << checked << " of " << healthy.assignment.size() << " calls failed in turn");
}

}  // namespace

TEST_CASE("every call of a generation may fail with a status") {
  check_every_call(tiny_model("status", {.types = {DType::kQ4_1, DType::kQ8_0}}), "status", 1);
}

TEST_CASE("calls may throw inside the plugin") {
  check_every_call(tiny_model("throw", {.arch = "qwen3"}), "throw", 7);
}

TEST_CASE("calls may leave garbage in their outputs") {
  check_every_call(tiny_model("partial", {.arch = "qwen2", .types = {DType::kQ4_0}}), "partial", 7);
}

TEST_CASE("every kind of op is among those that failed") {
  const auto model = tiny_model("kinds", {});
  const Outcome healthy = run(model, {});
  for (const char* op : {"embed", "linear", "rms_norm", "rope", "kv_write", "attention", "silu_mul", "add"}) {
    CAPTURE(op);
    const std::string id = std::string("belay.") + op + "/1";
    const Outcome faulty = run(model, {{"test.faulty.fail_at", "0"}, {"test.faulty.fail_op", id}});
    REQUIRE(faulty.fallbacks.size() == 1);
    CHECK(faulty.fallbacks[0].op.rfind(op, 0) == 0);
    const Outcome replayed = run(model, {}, faulty.assignment);
    CHECK(faulty.tokens == replayed.tokens);
  }
}

TEST_CASE("a plugin with packed weights of its own layout gives the same text") {
  const auto model = tiny_model("packed", {.types = {DType::kQ8_0, DType::kQ4_1}});
  const Outcome plain = run(model, {});
  const Outcome packed = run(model, {{"test.faulty.pack", "1"}});
  CHECK(plain.tokens == packed.tokens);
  CHECK(plain.last_logits == packed.last_logits);
}

TEST_CASE("steps that a plugin does as one give the same text, and any of them may fail") {
  const auto model = tiny_model("joined", {.arch = "qwen3", .types = {DType::kQ4_1, DType::kQ8_0}});
  const Outcome healthy = run(model, {});
  for (const char* join : {"2", "3", "100"}) {
    CAPTURE(join);
    const Outcome joined = run(model, {{"test.faulty.join", join}});
    REQUIRE(joined.fallbacks.empty());
    REQUIRE(joined.tokens == healthy.tokens);
    REQUIRE(joined.last_logits == healthy.last_logits);
    REQUIRE(joined.assignment == healthy.assignment);
    std::size_t in_groups = 0;
    for (std::size_t k = 0; k < healthy.assignment.size(); k += 5) {
      CAPTURE(k);
      const Outcome faulty = run(model, {{"test.faulty.join", join},
                                         {"test.faulty.fail_at", std::to_string(k)},
                                         {"test.faulty.fail_how", "partial"}});
      REQUIRE(faulty.fallbacks.size() == 1);
      REQUIRE(faulty.fallbacks[0].from == "test.faulty");
      in_groups += faulty.fallbacks[0].to == "test.faulty" ? 1 : 0;
      REQUIRE(faulty.tokens == healthy.tokens);
      REQUIRE(faulty.last_logits == healthy.last_logits);
    }
    CHECK(in_groups > 0);
  }
}

TEST_CASE("a lost device takes the plugin out of use and the text stands") {
  const auto model = tiny_model("device", {});
  const Outcome faulty = run(model, {{"test.faulty.fail_at", "40"}, {"test.faulty.fail_scope", "device"}});
  for (std::size_t call = 41; call < faulty.assignment.size(); ++call) REQUIRE(faulty.assignment[call] == 1);
  const Outcome replayed = run(model, {}, faulty.assignment);
  CHECK(faulty.tokens == replayed.tokens);
}

TEST_CASE("results of NaN are noticed, and the text stands") {
  const auto model = tiny_model("nan", {.types = {DType::kQ8_0}});
  const Outcome healthy = run(model, {});
  for (const char* op : {"embed", "linear", "rms_norm", "rope", "attention", "silu_mul", "add"}) {
    CAPTURE(op);
    const std::string id = std::string("belay.") + op + "/1";
    const Settings once = {
        {"test.faulty.fail_at", "1"}, {"test.faulty.fail_op", id}, {"test.faulty.fail_how", "nan"}};
    CHECK(run(model, once).tokens == healthy.tokens);
    Settings always = once;
    always["test.faulty.fail_times"] = "1000000";
    const Outcome faulty = run(model, always);
    CHECK(faulty.tokens == healthy.tokens);
    REQUIRE_FALSE(faulty.fallbacks.empty());
    CHECK(faulty.fallbacks[0].op.rfind(op, 0) == 0);
    CHECK(faulty.fallbacks[0].reason == "CONTRACT");
  }
}
