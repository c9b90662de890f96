// A plugin whose device has a memory of its own (test.device, the scalar kernels in disguise): wherever the
// layers lie and whatever fails, the tokens and logits are those of cpu_scalar alone, bit by bit.
#include "core/base/log.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/long_run.hpp"
#include "tests/support/test_engine.hpp"
#include "tests/support/tiny_model_file.hpp"

#include <algorithm>
#include <array>
#include <set>

using namespace belay;  // NOLINT(google-build-using-namespace)

namespace {

const std::filesystem::path kDevice = BELAY_TEST_DEVICE_DIR;
const std::vector<std::int32_t> kPrompt = {5, 17, 42, 99, 3};
constexpr std::uint64_t kTokens = 5;

// Long enough to be seen in several steps, none of which is so short that other kernels do it.
std::vector<std::int32_t> long_prompt() {
  std::vector<std::int32_t> tokens(64);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(i * 13 % 200);
  return tokens;
}

using Settings = std::map<std::string, std::string, std::less<>>;

// Lines of the log, as long as this object lives.
class Listener {
 public:
  Listener() {
    lines().clear();
    set_log_sink([](LogLevel, std::string_view line) { lines().emplace_back(line); });
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { set_log_sink({}); }
  static std::vector<std::string>& lines() {
    static std::vector<std::string> kept;
    return kept;
  }
  [[nodiscard]] static bool said(std::string_view part) {
    return std::any_of(lines().begin(), lines().end(),
                       [&](const std::string& line) { return line.find(part) != std::string::npos; });
  }
};

struct Outcome {
  std::vector<std::int32_t> tokens;
  std::vector<float> logits;
  std::optional<runtime::DeviceUse> device;
  std::map<std::string, std::uint64_t> calls;
  std::vector<dispatch::Fallback> fallbacks;
};

class TestModel : public test::TinyModelFile {
 public:
  TestModel()
      : TinyModelFile(std::filesystem::path(BELAY_TEST_BINARY_DIR) / "device_test.gguf",
                      {.layers = 3, .types = {DType::kQ4_1, DType::kQ8_0}}) {}
};

test::EngineSpec spec_of(const TestModel& model, std::vector<std::string> plugins, Settings settings,
                         bool strict) {
  test::EngineSpec spec{.model = model.path(), .plugins = std::move(plugins), .further_folders = {kDevice}};
  spec.plugin_options = std::move(settings);
  spec.dispatch.strict = strict;
  spec.threads = 1;
  spec.context = 128;
  return spec;
}

Outcome run(std::vector<std::string> plugins, Settings settings,
            const std::vector<std::int32_t>& prompt = kPrompt) {
  const TestModel model;
  test::TestEngine engine(spec_of(model, std::move(plugins), std::move(settings), false));
  Outcome outcome;
  outcome.tokens = engine.generate(prompt, kTokens);
  outcome.logits.assign(engine.session().logits().begin(), engine.session().logits().end());
  outcome.device = engine.assembly().engine().plan().device;
  outcome.calls = engine.assembly().engine().calls();
  outcome.fallbacks = engine.assembly().engine().fallbacks();
  return outcome;
}

const std::vector<std::string> kBoth = {"test.device", "cpu_scalar"};

const Outcome& on_host() {
  static const Outcome outcome = run({"cpu_scalar"}, {});
  return outcome;
}

Outcome on_device(Settings settings) { return run(kBoth, std::move(settings)); }

// What the plugin said of itself when it was closed.
std::uint64_t said_number(const std::string& what) {
  const auto& lines = Listener::lines();
  const auto found = std::find_if(lines.begin(), lines.end(), [&](const std::string& line) {
    return line.find(what) != std::string::npos;
  });
  REQUIRE(found != lines.end());
  return std::stoull(found->substr(found->find(what) + what.size()));
}

std::uint64_t device_calls(Settings settings) {
  const Listener listener;
  (void)on_device(std::move(settings));
  return said_number("calls: ");
}

std::uint64_t waits_for(std::int32_t tokens) {
  const Listener listener;
  {
    const TestModel model;
    test::TestEngine engine(spec_of(model, kBoth, {}, false));
    for (std::int32_t token = 0; token < tokens; ++token) REQUIRE(engine.session().feed({&token, 1}).ok());
  }
  return said_number("waits: ");
}

// A size of the device at which so many layers are placed there.
std::string memory_for_layers(std::size_t layers) {
  const std::uint64_t all = on_device({}).device->total();
  for (std::uint64_t memory = 0; memory <= all; memory += all / 200) {
    std::string text = std::to_string(memory);
    if (on_device({{"test.device.memory", text}}).device->layers == layers) return text;
  }
  FAIL("no size of the device gives " << layers << " layers");
  return {};
}

void check_equal(const Outcome& outcome) {
  REQUIRE(outcome.tokens == on_host().tokens);
  REQUIRE(outcome.logits == on_host().logits);
}

// Every call on request, else a third of them.
std::uint64_t stride() { return static_cast<std::uint64_t>(test::times(3, 1)); }

}  // namespace

TEST_CASE("a model that fits the device runs there, all but its embedding") {
  const Outcome outcome = on_device({});
  check_equal(outcome);
  REQUIRE(outcome.device);
  CHECK(outcome.device->layers == 3);
  CHECK(outcome.device->head);
  CHECK(outcome.device->total() <= outcome.device->free_bytes);
  CHECK(outcome.fallbacks.empty());
  CHECK(outcome.calls.at("cpu_scalar") == kTokens);  // one embedding a step
}

TEST_CASE("what a device says of itself is there, and what it does not say is unknown") {
  const TestModel model;
  test::TestEngine engine(spec_of(model, kBoth, {}, false));
  const auto all = engine.assembly().engine().readings();
  REQUIRE(all.size() == 1);
  const std::vector<dispatch::Reading>& said = all.at("test.device");
  REQUIRE(said.size() == 3);
  CHECK(said[0].name == "memory_used_bytes");
  // Rounding of caches and workspaces is not known to the plan.
  const auto planned = static_cast<double>(engine.assembly().engine().plan().device->total());
  CHECK(said[0].value.value_or(0) > 0.5 * planned);
  CHECK(said[0].value.value_or(0) <= planned);
  CHECK_FALSE(said[2].value);
}

TEST_CASE("a token takes one wait for the device") { CHECK(waits_for(9) == waits_for(5) + 4); }

TEST_CASE("layers lie on both sides of every possible border") {
  std::set<std::size_t> seen;
  const std::uint64_t all = on_device({}).device->total();
  for (std::uint64_t memory = 0; memory <= all; memory += all / 80) {
    CAPTURE(memory);
    const Outcome outcome = on_device({{"test.device.memory", std::to_string(memory)}});
    check_equal(outcome);
    CHECK(outcome.fallbacks.empty());
    REQUIRE(outcome.device);
    CHECK(outcome.device->layers + (outcome.calls.count("cpu_scalar") != 0 ? 0 : 1) <= 3);
    seen.insert(outcome.device->layers);
  }
  CHECK(seen == std::set<std::size_t>{0, 1, 2, 3});
}

TEST_CASE("any call of the device may fail, in any way") {
  Settings on_a_border = {{"test.device.memory", memory_for_layers(1)}};
  Settings whole_layers = {{"test.device.join", "100"}};
  for (Settings& settings :
       std::array<Settings, 3>{Settings(), std::move(on_a_border), std::move(whole_layers)}) {
    const std::uint64_t calls = device_calls(settings);
    REQUIRE(calls > 100);
    for (const std::string how : {"op", "oom", "lost", "later"}) {
      settings["test.device.fail_how"] = how;
      std::uint64_t fell_back = 0;
      std::uint64_t failed = 0;
      for (std::uint64_t k = 0; k < calls; k += stride(), ++failed) {
        CAPTURE(how);
        CAPTURE(k);
        settings["test.device.fail_at"] = std::to_string(k);
        const Listener listener;
        const Outcome outcome = on_device(settings);
        check_equal(outcome);
        // Said by a fallback, a call that is tried again, or, before the first step, a plugin that leaves a
        // chain.
        REQUIRE((!outcome.fallbacks.empty() || Listener::said("test.device")));
        fell_back += outcome.fallbacks.empty() ? 0 : 1;
      }
      MESSAGE(how << ": " << failed << " of " << calls << " calls failed in turn, " << fell_back
                  << " while the model ran");
      CHECK(fell_back > failed / 3);
    }
  }
}

TEST_CASE("under strict a device that goes is an error") {
  const std::uint64_t last = device_calls({}) - 1;
  for (const std::string how : {"lost", "later"}) {
    const Listener quiet;
    TestModel model;
    test::TestEngine engine(spec_of(
        model, kBoth, {{"test.device.fail_at", std::to_string(last)}, {"test.device.fail_how", how}}, true));
    Status fed = engine.session().feed(kPrompt);
    for (std::int32_t token = 1; fed.ok() && token < 10; ++token) fed = engine.session().feed({&token, 1});
    REQUIRE(!fed.ok());
    CHECK(fed.error().code == ErrorCode::kFallbackForbidden);
    CHECK(fed.error().message.find("test.device") != std::string::npos);
  }
}

TEST_CASE("what is seen again is what is left after a rewind") {
  const auto talk = [](Settings settings) {
    TestModel model;
    test::TestEngine engine(spec_of(model, kBoth, std::move(settings), false));
    runtime::Session& session = engine.session();
    REQUIRE(session.feed(kPrompt).ok());
    session.rewind(3);
    const std::vector<std::int32_t> more = {7, 8, 9, 10};
    REQUIRE(session.feed(more).ok());
    REQUIRE(session.position() == 7);
    return std::vector<float>(session.logits().begin(), session.logits().end());
  };
  const std::vector<float> expected = talk({});
  const std::uint64_t calls = device_calls({});
  for (std::uint64_t k = calls / 3; k < calls; k += stride()) {
    CAPTURE(k);
    const Listener quiet;
    REQUIRE(talk({{"test.device.fail_at", std::to_string(k)}, {"test.device.fail_how", "lost"}}) == expected);
  }
}

TEST_CASE("a device without memory for a long step does it in shorter ones, and all that follow") {
  const Outcome expected = run({"cpu_scalar"}, {}, long_prompt());
  for (const std::string join : {"0", "100"}) {
    CAPTURE(join);
    const Listener listener;
    const Outcome outcome =
        run(kBoth, {{"test.device.most_tokens", "20"}, {"test.device.join", join}}, long_prompt());
    CHECK(outcome.tokens == expected.tokens);
    CHECK(outcome.logits == expected.logits);
    // 64 tokens, then 32, then 4 times 16, and one by one: only the embedding is not on the device.
    CHECK(outcome.calls.at("cpu_scalar") == 2 + 4 + kTokens - 1);
    REQUIRE(outcome.fallbacks.size() == 1);
    CHECK(outcome.fallbacks[0].op == "step");
    CHECK(outcome.fallbacks[0].from == "test.device");
    CHECK(outcome.fallbacks[0].to == "test.device");
    CHECK(outcome.fallbacks[0].reason == "OOM_DEVICE");
    CHECK(outcome.fallbacks[0].count == 2);
    CHECK(Listener::said("steps have 32 tokens at most"));
    CHECK(Listener::said("steps have 16 tokens at most"));
  }
}

TEST_CASE("the next session begins with the shorter steps of the last") {
  const TestModel model;
  const Listener listener;
  test::TestEngine engine(spec_of(model, kBoth, {{"test.device.most_tokens", "20"}}, false));
  REQUIRE(engine.session().feed(long_prompt()).ok());
  const runtime::Stop stop;
  auto next = engine.assembly().engine().session(engine.assembly().pool(), stop);
  REQUIRE(next.ok());
  REQUIRE((*next)->feed(long_prompt()).ok());
  CHECK(engine.assembly().engine().fallbacks().at(0).count == 2);
  CHECK(std::ranges::equal((*next)->logits(), engine.session().logits()));
}

TEST_CASE("the logits of every token come once and in order though steps become shorter") {
  const TestModel model;
  const auto all_logits = [&](std::vector<std::string> plugins) {
    const Listener quiet;
    test::TestEngine engine(spec_of(model, std::move(plugins), {{"test.device.most_tokens", "20"}}, false));
    return engine.logits(long_prompt());
  };
  CHECK(all_logits(kBoth) == all_logits({"cpu_scalar"}));
}

TEST_CASE("a step that cannot be shorter falls back op by op") {
  const Outcome expected = run({"cpu_scalar"}, {}, long_prompt());
  const Listener quiet;
  const Outcome outcome = run(kBoth, {{"test.device.most_tokens", "8"}}, long_prompt());
  CHECK(outcome.tokens == expected.tokens);
  CHECK(outcome.logits == expected.logits);
  REQUIRE(outcome.fallbacks.size() > 1);
  CHECK(outcome.fallbacks[0].count == 2);  // down to 16
  CHECK(outcome.fallbacks[1].to == "cpu_scalar");
}

TEST_CASE("a long step whose device has no memory at any call gives the same text") {
  const Outcome expected = run({"cpu_scalar"}, {}, long_prompt());
  const auto calls_of = [](const Settings& settings) {
    const Listener listener;
    (void)run(kBoth, settings, long_prompt());
    return said_number("calls: ");
  };
  for (Settings settings :
       {Settings{{"test.device.memory", memory_for_layers(1)}}, Settings{{"test.device.join", "100"}}}) {
    const std::uint64_t calls = calls_of(settings);
    settings["test.device.fail_how"] = "oom";
    std::uint64_t divided = 0;
    for (std::uint64_t k = 0; k < calls; k += stride()) {
      CAPTURE(k);
      settings["test.device.fail_at"] = std::to_string(k);
      const Listener quiet;
      const Outcome outcome = run(kBoth, settings, long_prompt());
      REQUIRE(outcome.tokens == expected.tokens);
      REQUIRE(outcome.logits == expected.logits);
      divided += !outcome.fallbacks.empty() && outcome.fallbacks[0].op == "step" ? 1 : 0;
    }
    CHECK(divided > 0);
  }
}

TEST_CASE("under strict a step that would have to be shorter is an error") {
  const Listener quiet;
  const TestModel model;
  test::TestEngine engine(spec_of(model, kBoth, {{"test.device.most_tokens", "20"}}, true));
  const Status fed = engine.session().feed(long_prompt());
  REQUIRE(!fed.ok());
  CHECK(fed.error().code == ErrorCode::kFallbackForbidden);
  CHECK(fed.error().message.find("OOM_DEVICE") != std::string::npos);
}
