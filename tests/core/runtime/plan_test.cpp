#include "core/runtime/plan.hpp"

#include "core/graph/builder.hpp"
#include "core/runtime/core_optimizations.hpp"
#include "core/runtime/executor.hpp"
#include "tests/support/doctest.hpp"

using namespace belay;           // NOLINT(google-build-using-namespace)
using namespace belay::runtime;  // NOLINT(google-build-using-namespace)

namespace {

// One layer of attention over embeddings of 64.
graph::Graph small_body() {
  graph::Builder build;
  const auto ids = build.input("ids", DType::kI32, {graph::kTokens});
  const auto x = build.embed("embed", ids, build.weight({"table", DType::kQ8_0, {100, 64}, {}}));
  build.set_layer(0);
  const auto q = build.reshape(x, {graph::kTokens, 2, 32});
  const auto y = build.reshape(build.attention("attend", q, build.kv_write("write", q, q, DType::kF32)),
                               {graph::kTokens, 64});
  const auto sum = build.add("sum", x, y);
  return *std::move(build).finish({sum});
}

graph::Graph small_head() {
  graph::Builder build;
  const auto hidden = build.input("hidden", DType::kF32, {graph::kTokens, 64});
  const auto table = build.weight({"table", DType::kQ8_0, {100, 64}, {}});
  const auto output = build.linear("output", hidden, {table});
  return *std::move(build).finish({output});
}

models::Model small_model() {
  models::Model model;
  models::Decoder& decoder = model.decoder;
  decoder.config.n_layers = 1;
  decoder.config.n_heads = decoder.config.n_kv_heads = 2;
  decoder.config.head_dim = 32;
  decoder.config.width = 64;
  decoder.config.vocab_size = 100;
  decoder.config.context_length = 1000;
  decoder.body = small_body();
  decoder.head = small_head();
  return model;
}

manifest::Manifest plugin(const std::string& id, const std::vector<std::string>& ops) {
  manifest::Manifest made;
  made.id = id;
  for (const std::string& op : ops) made.provides.push_back({op, {"f32", "q8_0*f32"}, {"row"}, 4});
  return made;
}

const std::vector<std::string> kAll = {BELAY_OP_EMBED, BELAY_OP_LINEAR, BELAY_OP_KV_WRITE, BELAY_OP_ATTENTION,
                                       BELAY_OP_ADD};

}  // namespace

TEST_CASE("chains follow the order of the selection and what each plugin provides") {
  const models::Model model = small_model();
  const manifest::Manifest fast = plugin("fast", {BELAY_OP_LINEAR, BELAY_OP_ATTENTION});
  const manifest::Manifest plain = plugin("plain", kAll);
  const std::vector<const manifest::Manifest*> selected = {&fast, &plain};
  const auto plan = make_plan(model, 0, selected, {});
  REQUIRE(plan.ok());
  CHECK(plan->chains.at("linear/q8_0") == std::vector<std::string>{"fast", "plain"});
  CHECK(plan->chains.at("embed/q8_0") == std::vector<std::string>{"plain"});
  CHECK(plan->chains.at("attention/f32") == std::vector<std::string>{"fast", "plain"});
  REQUIRE(plan->placement.size() == 1);
  CHECK(plan->placement[0].plugin == "fast");
}

TEST_CASE("an operator without a plugin is an error that names it") {
  const manifest::Manifest some = plugin("some", {BELAY_OP_EMBED, BELAY_OP_LINEAR});
  const std::vector<const manifest::Manifest*> selected = {&some};
  const auto plan = make_plan(small_model(), 0, selected, {});
  REQUIRE_FALSE(plan.ok());
  CHECK(plan.error().code == ErrorCode::kNoPlugin);
  CHECK(plan.error().message.find("kv_write") != std::string::npos);
}

TEST_CASE("the step shrinks until everything fits the limit, then the plan is refused with its arithmetic") {
  const models::Model model = small_model();
  const manifest::Manifest plain = plugin("plain", kAll);
  const std::vector<const manifest::Manifest*> selected = {&plain};
  PlanOptions options;
  options.context = 1000;
  const auto roomy = make_plan(model, 1000, selected, options);
  REQUIRE(roomy.ok());
  CHECK(roomy->memory.chunk == kMostChunk);
  options.memory_limit = roomy->memory.use.total() - 1;
  const auto tight = make_plan(model, 1000, selected, options);
  REQUIRE(tight.ok());
  CHECK(tight->memory.chunk < kMostChunk);
  CHECK(tight->memory.use.total() <= *options.memory_limit);
  options.memory_limit = roomy->memory.use.kv_bytes;
  const auto refused = make_plan(model, 1000, selected, options);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kOutOfMemory);
  CHECK(refused.error().message.find("KV cache") != std::string::npos);
}

TEST_CASE("a context beyond the model's is refused; none asked for is the usual one") {
  const manifest::Manifest plain = plugin("plain", kAll);
  const std::vector<const manifest::Manifest*> selected = {&plain};
  const auto usual = make_plan(small_model(), 0, selected, {});
  REQUIRE(usual.ok());
  CHECK(usual->memory.context == 1000);
  PlanOptions options;
  options.context = 1001;
  const auto beyond = make_plan(small_model(), 0, selected, options);
  REQUIRE_FALSE(beyond.ok());
  CHECK(beyond.error().code == ErrorCode::kBadInput);
}

TEST_CASE("optimizations decide the cache and what each plugin may do") {
  const std::vector<std::string> chosen = {"cpu_avx2/act_q8", std::string(kKvF16)};
  CHECK(cache_dtype(chosen, 64) == DType::kF16);
  CHECK(cache_dtype({}, 64) == DType::kF32);
  const std::vector<std::string> small = {std::string(kKvQ8)};
  CHECK(cache_dtype(small, 64) == DType::kQ8_0);
  CHECK(cache_dtype(small, 80) == DType::kF16);  // no whole blocks of 32
  CHECK(numerics_of("cpu_avx2", chosen) == BELAY_NUMERICS_ACT_Q8);
  CHECK(numerics_of("cpu_sse", chosen) == BELAY_NUMERICS_F32);
}

TEST_CASE("values that are not alive together share scratch") {
  const models::Decoder decoder = small_model().decoder;
  std::uint64_t all = 0;
  for (const graph::Value& value : decoder.body.values) {
    if (value.kind == graph::ValueKind::kActivation && !value.view_of) all += graph::value_bytes(value, 10);
  }
  CHECK(scratch_bytes(decoder.body, 10) <= all);
  CHECK(scratch_bytes(decoder.body, 0) == 0);
}

TEST_CASE("without asking it, a GPU gets the layers for which its memory is large enough") {
  const models::Model model = small_model();
  manifest::Manifest gpu = plugin("gpu", kAll);
  gpu.requires_.gpu.emplace();
  const manifest::Manifest plain = plugin("plain", kAll);
  const std::vector<const manifest::Manifest*> selected = {&gpu, &plain};
  PlanOptions options;
  options.gpu_bytes = std::uint64_t{1} << 30U;
  const auto large = make_plan(model, 0, selected, options);
  REQUIRE(large.ok());
  REQUIRE(large->device);
  CHECK(large->device->layers == 1);
  CHECK(large->placement[0].plugin == "gpu");
  CHECK(large->chains.at("embed/q8_0") == std::vector<std::string>{"plain"});
  CHECK(large->chains.at("linear/q8_0") == std::vector<std::string>{"gpu", "plain"});
  CHECK(large->memory.use.kv_bytes == 0);

  options.gpu_bytes = std::uint64_t{100} << 20U;  // less than is kept free
  const auto small = make_plan(model, 0, selected, options);
  REQUIRE(small.ok());
  CHECK(small->device->layers == 0);
  CHECK(small->placement[0].plugin == "plain");
  CHECK(small->chains.at("attention/f32") == std::vector<std::string>{"plain"});
}
