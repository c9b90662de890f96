// Whole generations of small random models through the emulated device: the tokens are those of cpu_scalar,
// and a fault at any call of the driver leaves the tokens of a run without faults on the same assignment of
// ops to plugins.
#include "core/hardware/gpu.hpp"
#include "tests/plugins/cuda_sm61/driver/fake_cuda.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/golden_case.hpp"
#include "tests/support/long_run.hpp"
#include "tests/support/test_engine.hpp"
#include "tests/support/tiny_model.hpp"

#include <algorithm>
#include <fstream>

using namespace belay;  // NOLINT(google-build-using-namespace)

namespace {

constexpr int kOutOfMemory = 2;
constexpr int kLaunchOutOfResources = 701;
constexpr int kIllegalAddress = 700;
constexpr int kLaunchFailed = 719;
constexpr int kUnknown = 999;

const std::vector<std::int32_t> kPrompt = {5, 17, 42, 99, 3, 250,
                                           7, 8,  9,  11, 12};  // more than gemv's columns
constexpr std::uint64_t kTokens = 4;

fake_cuda::Control& driver() { return belay_fake_cuda(); }

std::filesystem::path tiny_model(const std::string& name, const test::TinyModelSpec& spec) {
  std::filesystem::path path = std::filesystem::path(BELAY_TEST_BINARY_DIR) / (name + ".gguf");
  const auto bytes = test::make_tiny_model(spec);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return path;
}

hardware::Gpu pascal() {
  hardware::Gpu gpu;
  gpu.name = "emulated device 0";
  gpu.vendor = "nvidia";
  gpu.compute_capability = "6.1";
  gpu.memory_bytes = std::uint64_t{1} << 30U;
  return gpu;
}

test::EngineSpec on_device(const std::filesystem::path& model) {
  return {.model = model,
          .plugins = {"test.cuda_sm61", "cpu_scalar"},
          .further_folders = {BELAY_TEST_CUDA_PLUGIN_DIR},
          .threads = 1,
          .gpus = {pascal()},
          .child_environment = {"LD_LIBRARY_PATH=" BELAY_FAKE_CUDA_DIR}};
}

// From which call on, how often, and how the driver fails; counted over the generation, or also over what
// comes before.
struct Fault {
  std::int64_t at = -1;
  int with = 0;
  std::string symbol = {};
  bool while_binding = false;
};

struct Outcome {
  std::vector<std::int32_t> tokens;
  std::vector<std::uint8_t> assignment;
  std::vector<dispatch::Fallback> fallbacks;
  std::vector<float> last_logits;
  fake_cuda::Counts counts;
};

struct Numerics {
  manifest::Level level;
  resolver::Balance balance;
};
constexpr Numerics kExact = {manifest::Level::kMinimal, resolver::Balance::kCompute};
// With activations in 8 bits, for which a layer is one kernel; and with the KV cache in 8 bits, too.
constexpr Numerics kQuantised = {manifest::Level::kModerate, resolver::Balance::kCompute};
constexpr Numerics kSmallCache = {manifest::Level::kModerate, resolver::Balance::kMemory};

Outcome run(const std::filesystem::path& model, const Fault& fault = {},
            std::vector<std::uint8_t> replay = {}, std::uint64_t tokens = kTokens,
            const Numerics& numerics = kExact, const std::vector<std::int32_t>& prompt = kPrompt) {
  driver().reset();
  fake_cuda::Settings& settings = driver().settings();
  settings.fail_with = fault.with;
  settings.fail_symbol = fault.symbol;
  if (fault.while_binding) settings.fail_at = fault.at;
  dispatch::AssignmentHook hook;
  hook.replay = std::move(replay);
  test::EngineSpec spec = on_device(model);
  spec.level = numerics.level;
  spec.balance = numerics.balance;
  spec.dispatch.hook = &hook;
  Outcome outcome;
  {
    test::TestEngine engine(spec);
    if (!fault.while_binding) {
      driver().reset_calls();
      settings.fail_at = fault.at;
    }
    outcome.tokens = engine.generate(prompt, tokens);
    outcome.counts = driver().counts();
    settings.fail_at = -1;
    outcome.last_logits.assign(engine.session().logits().begin(), engine.session().logits().end());
    outcome.fallbacks = engine.assembly().engine().fallbacks();
  }
  outcome.counts.calls_when_stuck = driver().counts().calls_when_stuck;  // also of the end
  outcome.assignment = hook.recorded;
  return outcome;
}

std::vector<std::int32_t> tokens_of_scalar(const std::filesystem::path& model) {
  test::TestEngine engine({.model = model, .plugins = {"cpu_scalar"}, .threads = 1});
  return engine.generate(kPrompt, kTokens);
}

// But for one embedding a step, which stays on the host.
bool all_on_device(const Outcome& outcome) {
  const auto on_host = std::count(outcome.assignment.begin(), outcome.assignment.end(), 1);
  return static_cast<std::uint64_t>(on_host) == kTokens;
}

Outcome run_quantised(const std::filesystem::path& model, const Fault& fault = {},
                      std::vector<std::uint8_t> replay = {}) {
  return run(model, fault, std::move(replay), kTokens, kQuantised);
}

std::uint64_t launches_of_token(const std::filesystem::path& model, const Numerics& numerics) {
  return run(model, {}, {}, kTokens + 1, numerics).counts.launches -
         run(model, {}, {}, kTokens, numerics).counts.launches;
}

std::uint64_t launches_of_layer(test::TinyModelSpec spec, const Numerics& numerics) {
  spec.layers = 1;
  const std::uint64_t with_one = launches_of_token(tiny_model("cuda_one_layer", spec), numerics);
  spec.layers = 2;
  return launches_of_token(tiny_model("cuda_two_layers", spec), numerics) - with_one;
}

// Every call in turn on request, else some. An odd step meets all the calls of an op, which take turns.
std::uint64_t stride_for(std::uint64_t calls, std::uint64_t usual) {
  return static_cast<std::uint64_t>(test::times(static_cast<int>(calls / usual | 1U), 1));
}

const std::filesystem::path& sweep_model() {
  static const auto model = tiny_model("cuda_sweep", {.layers = 1,
                                                      .heads = 2,
                                                      .kv_heads = 1,
                                                      .width = 32,
                                                      .ffn = 64,
                                                      .types = {DType::kQ4_0, DType::kQ8_0}});
  return model;
}

void check_same_as_without_fault(const Outcome& faulty) {
  const Outcome replayed = run(sweep_model(), {}, faulty.assignment);
  REQUIRE(faulty.tokens == replayed.tokens);
  REQUIRE(faulty.last_logits == replayed.last_logits);
}

}  // namespace

TEST_CASE("the emulated device is what a probe sees") {
  const std::string text = hardware::describe_gpus(BELAY_FAKE_CUDA_DIR "/libcuda.so.1");
  CHECK(text.find("6.1") != std::string::npos);
  CHECK(text.find("emulated device 0") != std::string::npos);
}

TEST_CASE("models of every architecture give the tokens of cpu_scalar at level minimal") {
  const std::vector<DType> all = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                                  DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                                  DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};
  const std::vector<test::TinyModelSpec> specs = {{.types = all, .seed = 3},
                                                  {.arch = "qwen2",
                                                   .heads = 6,
                                                   .kv_heads = 2,
                                                   .width = 96,
                                                   .types = {DType::kQ4_1, DType::kQ5_0},
                                                   .pre = "qwen2",
                                                   .seed = 4},
                                                  {.arch = "qwen3",
                                                   .head_dim = 64,
                                                   .width = 256,
                                                   .ffn = 512,
                                                   .types = all,
                                                   .tied = true,
                                                   .pre = "qwen2",
                                                   .seed = 5}};
  for (const test::TinyModelSpec& spec : specs) {
    CAPTURE(spec.arch);
    const auto model = tiny_model("cuda_" + spec.arch, spec);
    const Outcome outcome = run(model);
    CHECK(outcome.fallbacks.empty());
    CHECK(all_on_device(outcome));
    CHECK(outcome.counts.launches > 100);
    CHECK(outcome.tokens == tokens_of_scalar(model));
    CHECK(driver().launch_error().empty());
  }
}

TEST_CASE("the device gives the reference's tokens, and so does it with cpu_avx2, wherever a layer goes") {
  const std::filesystem::path goldens = BELAY_TEST_GOLDENS;
  const test::GoldenCase golden = test::load_golden_case(goldens, "llama_k__text");
  const auto tokens_with = [&](dispatch::AssignmentHook& hook) {
    driver().reset();
    test::EngineSpec spec = on_device(goldens / "llama_k" / "model-k.gguf");
    if (!test::usable_plugins({"cpu_avx2"}).empty()) spec.plugins[1] = "cpu_avx2";
    spec.dispatch.hook = &hook;
    test::TestEngine engine(spec);
    return engine.generate(golden.prompt, golden.generated.size());
  };
  dispatch::AssignmentHook whole;
  CHECK(tokens_with(whole) == golden.generated);
  CHECK(std::count(whole.recorded.begin(), whole.recorded.end(), 1) ==
        static_cast<std::ptrdiff_t>(golden.generated.size()));  // embeddings
  const std::size_t step = whole.recorded.size() / golden.generated.size();
  for (std::size_t split = 1; split < step; split += step / 8) {
    CAPTURE(split);
    dispatch::AssignmentHook divided;
    for (std::size_t i = 0; i < whole.recorded.size(); ++i)
      divided.replay.push_back(i % step < split ? whole.recorded[i] : 1);
    CHECK(tokens_with(divided) == golden.generated);
  }
}

TEST_CASE("decode's token goes through a layer in seven launches, with the bits of its steps one by one") {
  const std::vector<test::TinyModelSpec> specs = {
      {.head_dim = 32, .types = {DType::kQ4_0}, .seed = 6},
      {.arch = "qwen2",
       .head_dim = 64,
       .ffn = 64,
       .types = {DType::kQ8_0},
       .tied = true,
       .pre = "qwen2",
       .seed = 7},
      {.arch = "qwen3",
       .heads = 4,
       .kv_heads = 1,
       .head_dim = 64,
       .width = 1280,  // rows that are normed by a block of threads
       .ffn = 256,
       .types = {DType::kQ4_K},
       .pre = "qwen2",
       .seed = 8},
      {.arch = "qwen3", .head_dim = 128, .types = {DType::kQ5_1}, .pre = "qwen2", .seed = 9},
      {.arch = "qwen3",  // where the rotated queries would lie on the keys
       .heads = 4,
       .kv_heads = 4,
       .head_dim = 32,
       .width = 128,
       .ffn = 384,
       .types = {DType::kQ8_0},
       .pre = "qwen2",
       .seed = 10},
      {.head_dim = 32, .types = {DType::kQ4_1, DType::kQ6_K, DType::kQ8_0}, .seed = 12}};
  for (const test::TinyModelSpec& spec : specs) {
    CAPTURE(spec.arch);
    CAPTURE(spec.seed);
    const auto model = tiny_model("cuda_joined_" + spec.arch, spec);
    for (const Numerics& numerics : {kQuantised, kSmallCache}) {
      if (spec.types.size() == 1) CHECK(launches_of_layer(spec, numerics) == 7);
      const Outcome joined = run(model, {}, {}, kTokens, numerics);
      CHECK(joined.fallbacks.empty());
      CHECK(all_on_device(joined));
      CHECK(driver().launch_error().empty());
      const Outcome one_by_one = run(model, {}, joined.assignment, kTokens, numerics);
      CHECK(one_by_one.counts.launches > joined.counts.launches);
      CHECK(joined.tokens == one_by_one.tokens);
      CHECK(joined.last_logits == one_by_one.last_logits);
    }
  }
}

TEST_CASE("a layer whose launches fail is done step by step, and the text stands") {
  const auto model = tiny_model("cuda_joined_sweep", {.layers = 2,
                                                      .heads = 2,
                                                      .kv_heads = 1,
                                                      .head_dim = 32,
                                                      .width = 64,
                                                      .ffn = 64,
                                                      .types = {DType::kQ4_0}});
  const Outcome healthy = run_quantised(model);
  REQUIRE(healthy.fallbacks.empty());
  for (const int with : {kLaunchOutOfResources, kIllegalAddress}) {
    const std::uint64_t launches = healthy.counts.launches;
    std::size_t in_layers = 0;
    for (std::uint64_t k = 0; k < launches; k += stride_for(launches, 25)) {
      CAPTURE(with);
      CAPTURE(k);
      const Outcome faulty = run_quantised(model, {static_cast<std::int64_t>(k), with, "cuLaunchKernel"});
      REQUIRE(faulty.counts.calls_when_stuck == 0);
      REQUIRE_FALSE(faulty.fallbacks.empty());
      REQUIRE(faulty.tokens == healthy.tokens);
      if (faulty.fallbacks[0].op.find(" x") == std::string::npos) continue;
      ++in_layers;
      if (with == kLaunchOutOfResources) REQUIRE(faulty.last_logits == healthy.last_logits);
    }
    CHECK(in_layers > 0);
  }
}

TEST_CASE("ops divided between the device and the CPU at any point give the same tokens") {
  const Outcome whole = run(sweep_model());
  const std::size_t calls = whole.assignment.size();
  const std::size_t step = run(sweep_model(), {}, {}, kTokens + 1).assignment.size() - calls;
  REQUIRE(calls % step == 0);
  for (std::size_t split = 0; split <= step; ++split) {
    CAPTURE(split);
    std::vector<std::uint8_t> replay(calls);
    for (std::size_t i = 0; i < calls; ++i) replay[i] = i % step < split ? 0 : 1;
    const Outcome divided = run(sweep_model(), {}, replay);
    CHECK(divided.assignment == replay);
    CHECK(divided.tokens == whole.tokens);
  }
}

TEST_CASE("a generation asks for no device memory once its longest step is done, and gives everything back") {
  const auto model = tiny_model("cuda_memory", {});
  CHECK(run(model).counts.allocations == 0);  // the slab that opening made holds all of a tiny model
  const fake_cuda::Counts after = driver().counts();
  CHECK(after.live_allocations == 0);
  CHECK(after.live_pinned == 0);
  CHECK(after.live_objects == 0);
}

TEST_CASE("a call that fails is done by the next plugin, and the text stands") {
  const Outcome healthy = run(sweep_model());
  REQUIRE(healthy.fallbacks.empty());
  for (const int with : {kOutOfMemory, kLaunchOutOfResources, kUnknown}) {
    const std::uint64_t stride = stride_for(healthy.counts.calls, 40);
    std::size_t failed = 0;
    for (std::uint64_t k = 0; k < healthy.counts.calls; k += stride) {
      CAPTURE(with);
      CAPTURE(k);
      const Outcome faulty = run(sweep_model(), {static_cast<std::int64_t>(k), with});
      REQUIRE(faulty.tokens.size() == kTokens);
      if (faulty.fallbacks.empty()) continue;  // nothing depended on the call
      ++failed;
      REQUIRE(faulty.fallbacks[0].from == "test.cuda_sm61");
      REQUIRE(faulty.fallbacks[0].to == "cpu_scalar");
      REQUIRE(faulty.fallbacks[0].reason == (with == kOutOfMemory ? "OOM_DEVICE" : "INTERNAL"));
      check_same_as_without_fault(faulty);
    }
    MESSAGE("result " << with << ": " << failed << " calls failed in turn, every " << stride << "th of "
                      << healthy.counts.calls);
    CHECK(failed > 0);
  }
}

TEST_CASE(
    "a device without memory at any launch of a long step does it in two, all of it, with the same bits") {
  std::vector<std::int32_t> prompt(32);
  for (std::size_t i = 0; i < prompt.size(); ++i) prompt[i] = static_cast<std::int32_t>(i * 7 % 250);
  const auto with = [&](const Fault& fault, const Numerics& numerics) {
    return run(sweep_model(), fault, {}, kTokens, numerics, prompt);
  };
  for (const Numerics& numerics : {kExact, kQuantised}) {
    const Outcome healthy = with({}, numerics);
    const std::uint64_t launches = healthy.counts.launches;
    std::size_t divided = 0;
    for (std::uint64_t k = 0; k < launches; k += stride_for(launches, 20)) {
      CAPTURE(k);
      const Outcome faulty = with({static_cast<std::int64_t>(k), kOutOfMemory, "cuLaunchKernel"}, numerics);
      REQUIRE(faulty.tokens == healthy.tokens);
      REQUIRE(faulty.fallbacks.size() == 1);
      REQUIRE(faulty.fallbacks[0].reason == "OOM_DEVICE");
      if (faulty.fallbacks[0].op != "step") continue;  // of one token
      ++divided;
      REQUIRE(faulty.fallbacks[0].to == "test.cuda_sm61");
      REQUIRE(faulty.last_logits == healthy.last_logits);
      REQUIRE(std::count(faulty.assignment.begin(), faulty.assignment.end(), 1) ==
              kTokens + 1);  // embeddings
    }
    MESSAGE(divided << " of " << launches << " launches failed in a long step");
    CHECK(divided > 0);
  }
}

TEST_CASE("a device that is lost at any call is not called again, and the text stands") {
  const Outcome healthy = run(sweep_model());
  const std::vector<std::int32_t> expected = tokens_of_scalar(sweep_model());
  REQUIRE(healthy.tokens == expected);
  for (const int with : {kIllegalAddress, kLaunchFailed}) {
    const std::uint64_t stride = stride_for(healthy.counts.calls, 30);
    std::size_t failed = 0;
    for (std::uint64_t k = 0; k < healthy.counts.calls; k += stride) {
      CAPTURE(with);
      CAPTURE(k);
      const Outcome faulty = run(sweep_model(), {static_cast<std::int64_t>(k), with});
      REQUIRE(faulty.counts.calls_when_stuck == 0);
      REQUIRE_FALSE(faulty.fallbacks.empty());
      REQUIRE(faulty.fallbacks[0].reason == "DEVICE_LOST");
      REQUIRE(faulty.assignment.back() == 1);
      REQUIRE(faulty.tokens == expected);  // the CPU saw all tokens again: no assignment gives its bits
      ++failed;
    }
    MESSAGE("result " << with << ": lost at " << failed << " calls in turn, every " << stride << "th of "
                      << healthy.counts.calls);
  }
}

TEST_CASE("a fault while the device is opened or weights are bound leaves a generation") {
  driver().reset();
  const std::vector<std::int32_t> tokens = tokens_of_scalar(sweep_model());
  const Outcome healthy = run(sweep_model(), {.while_binding = true});
  for (const int with : {kOutOfMemory, kIllegalAddress, kUnknown}) {
    const std::uint64_t stride = stride_for(healthy.counts.calls, 60);
    for (std::uint64_t k = 0; k < healthy.counts.calls; k += stride) {
      CAPTURE(with);
      CAPTURE(k);
      CHECK(run(sweep_model(), {static_cast<std::int64_t>(k), with, {}, true}).tokens == tokens);
    }
  }
}
