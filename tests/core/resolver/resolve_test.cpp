// From manifests and policy to a selection: names, filters, slots, versions, and the evidence for what is
// left out.
#include "core/resolver/resolve.hpp"

#include "tests/core/resolver/fixtures.hpp"
#include "tests/support/doctest.hpp"

#include <random>
#include <set>

using namespace belay;                  // NOLINT(google-build-using-namespace)
using namespace belay::resolver;        // NOLINT(google-build-using-namespace)
using namespace belay::resolver::test;  // NOLINT(google-build-using-namespace)

namespace {

Case cpus() {
  Case c;
  c.manifests = {plugin("cpu_scalar", 100), plugin("cpu_avx2", 300), plugin("cpu_sse", 200)};
  return c;
}

}  // namespace

TEST_CASE("plugins that do not exclude each other are all selected, best first, then by id") {
  Case c = cpus();
  c.manifests.push_back(plugin("acme.npu", 200));
  CHECK(c.selected() == Ids{"cpu_avx2", "acme.npu", "cpu_sse", "cpu_scalar"});
  const Resolution r = c.resolution();
  CHECK(r.optimal);
  CHECK(r.refused.empty());
  CHECK(r.objective.priorities == std::vector<std::int32_t>{300, 200, 200, 100});
  CHECK(r.selected[0].manifest == 1U);
  CHECK(!r.selected[0].optimization);
}

TEST_CASE("a conflict is symmetric, may name a version, and its reason is the evidence") {
  Case c = cpus();
  c.manifests[0].conflicts = {{"cpu_avx2", {}, "for a test"}};
  CHECK(c.selected() == Ids{"cpu_avx2", "cpu_sse"});
  CHECK(c.refusal("cpu_scalar") == "CONFLICT: it conflicts with cpu_avx2 (priority 300): for a test");
  c.manifests[0].conflicts = {{"cpu_avx2", range("<1"), "for a test"}};
  CHECK(c.selected().size() == 3);
  c.manifests[0].conflicts = {{"nobody", {}, ""}};
  CHECK(c.selected().size() == 3);
}

TEST_CASE("conflicts with a slot or an operator reach all who have it") {
  Case c = cpus();
  c.manifests[0].exclusive = {"cpu"};
  c.manifests[2].provides = {{"belay.linear/1", {"f32"}, {"row"}, 4}};
  c.manifests[1].conflicts = {{"slot:cpu", {}, "one"}, {"provides:belay.linear/1", {}, "two"}};
  CHECK(c.selected() == Ids{"cpu_avx2"});
  CHECK(c.refusal("cpu_scalar") == "CONFLICT: it conflicts with cpu_avx2 (priority 300): one");
  CHECK(c.refusal("cpu_sse") == "CONFLICT: it conflicts with cpu_avx2 (priority 300): two");
}

TEST_CASE("a slot holds one plugin for each device, and without a device one for the machine") {
  Case c;
  c.manifests = {plugin("cuda_a", 800), plugin("cuda_b", 700), plugin("amd", 600)};
  for (manifest::Manifest& m : c.manifests) m.exclusive = {"gpu-compute"};
  CHECK(c.selected() == Ids{"cuda_a"});
  CHECK(c.refusal("cuda_b") == "SLOT: slot gpu-compute is taken by cuda_a (priority 800)");

  c.profile.gpus.resize(2);
  c.profile.gpus[0].vendor = "nvidia";
  c.profile.gpus[0].compute_capability = "6.1";
  c.profile.gpus[1].vendor = "amd";
  CHECK(c.selected() == Ids{"cuda_a"});  // no device is named: the whole machine
  for (manifest::Manifest& m : c.manifests) {
    m.requires_.gpu.emplace();
    m.requires_.gpu->vendor = m.id == "amd" ? "amd" : "nvidia";
  }
  CHECK(c.selected() == Ids{"cuda_a", "amd"});
  CHECK(c.refusal("cuda_b") == "SLOT: slot gpu-compute of GPU 0 is taken by cuda_a (priority 800)");

  c.profile.gpus[1] = c.profile.gpus[0];
  c.manifests.pop_back();
  CHECK(c.selected() == Ids{"cuda_a"});  // it drives both
  c.policy.overrides["cuda_a"].device = 0;
  c.policy.overrides["cuda_b"].device = 1;
  CHECK(c.selected() == Ids{"cuda_a", "cuda_b"});
  c.policy.overrides["cuda_b"].device = 2;
  CHECK(c.error() == "override.\"cuda_b\": there is no GPU 2; this machine has 2");
}

TEST_CASE("requirements name versions, alternatives, and what is missing") {
  Case c = cpus();
  c.manifests[1].requires_.plugins = {{"cpu_scalar", range(">=0.3")}};
  c.manifests[1].requires_.any_of = {{{"cpu_sse", {}}, {"cpu_neon", {}}}};
  CHECK(c.selected().size() == 3);
  c.manifests[1].requires_.plugins = {{"cpu_scalar", range(">=2")}};
  CHECK(c.refusal("cpu_avx2") == "REQUIRES: it needs cpu_scalar >=2: cpu_scalar is there in version 1.0.0");
  c.manifests[1].requires_.plugins = {{"cpu_neon", {}}};
  CHECK(c.refusal("cpu_avx2") == "REQUIRES: it needs cpu_neon: there is no cpu_neon");
  c.refused = {{"cpu_neon", Stage::kFit, "ARCH", "it runs on aarch64"}};
  CHECK(c.refusal("cpu_avx2") ==
        "REQUIRES: it needs cpu_neon: cpu_neon is refused (ARCH: it runs on aarch64)");
  CHECK(c.resolution().refused.front().reason == "ARCH");
  c.manifests[1].requires_.plugins = {{"core", {}}};
  CHECK(c.selected().size() == 3);
}

TEST_CASE("what can never be met is named before a rival") {
  Case c = cpus();
  c.manifests[0].requires_.plugins = {{"cpu_neon", {}}};
  c.manifests[0].conflicts = {{"cpu_avx2", {}, "clash"}};
  CHECK(c.refusal("cpu_scalar") == "REQUIRES: it needs cpu_neon: there is no cpu_neon");
  c.manifests[0].requires_.plugins = {{"cpu_sse", {}}};
  CHECK(c.refusal("cpu_scalar").starts_with("CONFLICT: "));
}

TEST_CASE("a requirement that lost names who won") {
  Case c = cpus();
  c.manifests[0].requires_.plugins = {{"cpu_sse", {}}};
  c.manifests[2].conflicts = {{"cpu_avx2", {}, "clash"}};
  CHECK(c.selected() == Ids{"cpu_avx2"});
  CHECK(c.refusal("cpu_scalar") ==
        "REQUIRES: it needs cpu_sse, which is not selected (CONFLICT: it conflicts with cpu_avx2 (priority "
        "300): clash)");
}

TEST_CASE("of several versions the newest that fits is selected") {
  Case c;
  c.manifests = {plugin("a", 5, "1.2.0"), plugin("a", 5, "1.10.0"), plugin("b", 9)};
  c.manifests[0].optimizations = {optimization("x", 1)};
  c.manifests[1].optimizations = {optimization("x", 1)};
  CHECK(c.selected() == Ids{"b", "a"});
  CHECK(c.resolution().selected[1].manifest == 1U);
  CHECK(c.optimizations() == Ids{"a/x"});
  CHECK(c.resolution().optimizations[0].manifest == 1U);
  CHECK(c.resolution().refused.size() == 1);
  CHECK(c.refusal("a") == "VERSION: version 1.2.0 is not used: version 1.10.0 is selected");
  c.manifests[2].conflicts = {{"a", range(">=1.5"), "new"}};
  CHECK(c.resolution().selected[1].manifest == 0U);
}

TEST_CASE("bans, --plugins and disabled plugins are refused as BANNED, with their optimizations") {
  Case c = cpus();
  c.manifests[2].optimizations = {optimization("act_q8", 5)};
  c.policy.bans = {"cpu_s*"};
  CHECK(c.selected() == Ids{"cpu_avx2"});
  CHECK(c.refusal("cpu_sse") == "BANNED: the configuration bans \"cpu_s*\"");
  CHECK(c.refusal("cpu_sse/act_q8") == "REQUIRES: its plugin cpu_sse is refused (BANNED)");
  c.policy.bans = {"act_q?"};
  CHECK(c.refusal("cpu_sse/act_q8") == "BANNED: the configuration bans \"act_q?\"");
  CHECK(c.selected().size() == 3);
  c.policy.bans.clear();
  c.policy.only = {"cpu_scalar", "cpu_sse"};
  CHECK(c.selected() == Ids{"cpu_sse", "cpu_scalar"});
  CHECK(c.refusal("cpu_avx2") == "BANNED: --plugins allows only cpu_scalar, cpu_sse");
  c.policy.only.clear();
  c.policy.overrides["cpu_avx2"].enabled = false;
  CHECK(c.refusal("cpu_avx2") == "BANNED: the configuration sets enabled = false for it");
  c.policy.overrides["cpu_sse"].priority = 50;
  CHECK(c.selected() == Ids{"cpu_scalar", "cpu_sse"});
}

TEST_CASE("what the policy names must exist") {
  Case c = cpus();
  c.policy.only = {"cpu_axv2"};
  CHECK(c.error() == "--plugins cpu_axv2: there is no such plugin");
  CHECK(c.result().error().code == ErrorCode::kUsage);
  c.refused = {{"cpu_axv2.toml", Stage::kParse, "BAD_MANIFEST", ""}};
  CHECK(c.error().empty());
  c.policy.only.clear();
  c.policy.overrides["gpu"].priority = 1;
  CHECK(c.error() == "override.\"gpu\": there is no such plugin or optimization");
  c.policy.overrides = {{"cpu_sse/fast", {}}};
  CHECK(!c.error().empty());
  c.policy.overrides.clear();
  c.policy.pins = {"gpu"};
  CHECK(c.error() == "gpu is pinned, but there is no such plugin or optimization; pins are full ids");
  c.refused = {{"gpu", Stage::kFit, "NO_DRIVER", "no libcuda.so.1"}};
  CHECK(c.error() == "gpu is pinned, but refused (NO_DRIVER: no libcuda.so.1); remove the pin or the cause");
  c.policy.pins.clear();
  c.policy.lambda = -1;
  CHECK(c.error() == "lambda is -1; it must not be negative");
}

TEST_CASE("a pin overrules priority; pins that contradict each other say how") {
  Case c = cpus();
  c.manifests[0].conflicts = {{"cpu_avx2", {}, "for a test"}};
  c.policy.pins = {"cpu_scalar"};
  CHECK(c.selected() == Ids{"cpu_sse", "cpu_scalar"});
  CHECK(c.refusal("cpu_avx2") == "CONFLICT: it conflicts with cpu_scalar (priority 100): for a test");
  c.policy.pins = {"cpu_scalar", "cpu_sse", "cpu_avx2"};
  CHECK(c.error() ==
        "the pins cannot all be met: cpu_scalar conflicts with cpu_avx2; cpu_scalar (pinned); cpu_avx2 "
        "(pinned)");
  c.manifests[0].conflicts.clear();
  c.manifests[1].requires_.plugins = {{"cpu_neon", {}}};
  CHECK(c.error() ==
        "the pins cannot all be met: cpu_avx2 needs cpu_neon (there is no cpu_neon); cpu_avx2 (pinned)");
}

TEST_CASE("a pin of an id with versions takes the best of them") {
  Case c;
  c.manifests = {plugin("a", 5, "1.0.0"), plugin("a", -5, "2.0.0")};
  c.policy.pins = {"a"};
  CHECK(c.resolution().selected[0].manifest == 0U);
}

TEST_CASE("a negative priority is taken only when something needs it") {
  Case c = cpus();
  c.manifests[0].priority = -1;
  CHECK(c.refusal("cpu_scalar") ==
        "LOWER_PRIORITY: its priority -1 is negative: it is only taken when something needs it");
  c.manifests[1].requires_.plugins = {{"cpu_scalar", {}}};
  CHECK(c.selected() == Ids{"cpu_avx2", "cpu_sse", "cpu_scalar"});
}

TEST_CASE("plugins with different OpenMP runtimes exclude each other") {
  Case c = cpus();
  c.manifests[0].runtime.openmp = "gomp";
  c.manifests[1].runtime.openmp = "libomp";
  CHECK(c.selected() == Ids{"cpu_avx2", "cpu_sse"});
  CHECK(c.refusal("cpu_scalar") ==
        "CONFLICT: it conflicts with cpu_avx2 (priority 300): they need different OpenMP runtimes");
  c.manifests[1].runtime.openmp = "gomp";
  CHECK(c.selected().size() == 3);
}

TEST_CASE("a level admits the optimizations up to it, and every lossless one") {
  Case c = cpus();
  c.manifests[1].optimizations = {optimization("fast", 10), optimization("sparse", 20),
                                  optimization("pack", 30)};
  c.manifests[1].optimizations[0].level = manifest::Level::kModerate;
  c.manifests[1].optimizations[1].level = manifest::Level::kAggressive;
  c.manifests[1].optimizations[2].level = manifest::Level::kAggressive;
  c.manifests[1].optimizations[2].lossless = true;
  c.policy.level = manifest::Level::kMinimal;
  CHECK(c.optimizations() == Ids{"cpu_avx2/pack"});
  CHECK(c.refusal("cpu_avx2/fast") == "LEVEL: it needs level moderate; this is minimal");
  c.policy.level = manifest::Level::kModerate;
  CHECK(c.optimizations() == Ids{"cpu_avx2/pack", "cpu_avx2/fast"});
  c.policy.level = manifest::Level::kAggressive;
  CHECK(c.optimizations() == Ids{"cpu_avx2/pack", "cpu_avx2/sparse", "cpu_avx2/fast"});
  CHECK(c.resolution().optimizations[1].optimization == 1U);
}

TEST_CASE("a measured budget breach refuses with the number") {
  Case c = cpus();
  c.policy.level = manifest::Level::kAggressive;
  c.manifests[1].optimizations = {optimization("sparse", 20)};
  c.manifests[1].optimizations[0].budget.kld = 0.01;
  c.policy.measured["cpu_avx2/sparse"].kld = 0.02;
  CHECK(c.refusal("cpu_avx2/sparse") ==
        "BUDGET: KL divergence 0.02 on this model; its own budget allows at most 0.01");
  c.policy.measured["cpu_avx2/sparse"] = {.kld = 0.01, .top1 = 0.5, .ppl = {}};
  CHECK(c.refusal("cpu_avx2/sparse") ==
        "BUDGET: same top-1 0.5 on this model; level aggressive allows at least 0.88");
  c.policy.measured["cpu_avx2/sparse"] = {.kld = 0.01, .top1 = 0.9, .ppl = 0.01};
  CHECK(c.optimizations() == Ids{"cpu_avx2/sparse"});
}

TEST_CASE(
    "an optimization goes with its plugin; bare names mean the own in requirements, any in conflicts and "
    "synergies") {
  Case c = cpus();
  c.manifests.push_back(plugin("core", 0));
  c.manifests[3].optimizations = {optimization("kv_q8", 500), optimization("kv_f16", 400)};
  c.manifests[3].optimizations[1].conflicts = {{"kv_q8", {}, "one cache type"}};
  c.manifests[1].optimizations = {optimization("act_q8", 50), optimization("sparse", 60)};
  c.manifests[1].optimizations[1].requires_optimizations = {"act_q8", "core/kv_f16"};
  c.manifests[2].optimizations = {optimization("act_q8", 50)};
  CHECK(c.selected() == Ids{"cpu_avx2", "cpu_sse", "cpu_scalar"});
  CHECK(c.optimizations() == Ids{"core/kv_q8", "cpu_avx2/act_q8", "cpu_sse/act_q8"});
  CHECK(c.refusal("core/kv_f16") == "CONFLICT: it conflicts with core/kv_q8 (priority 500): one cache type");
  CHECK(c.refusal("cpu_avx2/sparse") ==
        "REQUIRES: it needs core/kv_f16, which is not selected (CONFLICT: it conflicts with core/kv_q8 "
        "(priority 500): one cache type)");
  CHECK(c.resolution().objective.priorities == std::vector<std::int32_t>{300, 200, 100, 50, 50});

  c.manifests[3].optimizations[0].conflicts = {{"act_q8", {}, "slow together"}};
  CHECK(c.optimizations() == Ids{"core/kv_q8"});
  c.policy.only = {"cpu_sse"};
  CHECK(c.optimizations() == Ids{"core/kv_q8"});
  c.policy.bans = {"kv_q8"};
  CHECK(c.optimizations() == Ids{"core/kv_f16", "cpu_sse/act_q8"});
}

TEST_CASE("an optimization of a plugin that lost is refused because of it") {
  Case c = cpus();
  c.manifests[0].optimizations = {optimization("x", 10)};
  c.manifests[0].conflicts = {{"cpu_avx2", {}, "clash"}};
  CHECK(c.optimizations().empty());
  CHECK(c.refusal("cpu_scalar/x") ==
        "REQUIRES: it needs its plugin cpu_scalar, which is not selected (CONFLICT: it conflicts with "
        "cpu_avx2 (priority 300): clash)");
}

TEST_CASE("an optimization may need more memory than there is") {
  Case c = cpus();
  c.profile.memory.total_bytes = std::uint64_t{1} << 30U;
  c.manifests[1].optimizations = {optimization("cache", 10)};
  c.manifests[1].optimizations[0].requires_host_mib = 2048;
  CHECK(c.refusal("cpu_avx2/cache").starts_with("HOST_MEMORY: "));
  c.manifests[1].optimizations[0].requires_host_mib = 512;
  CHECK(c.optimizations() == Ids{"cpu_avx2/cache"});
}

TEST_CASE("synergies decide among equals and count once") {
  Case c;
  c.manifests = {plugin("a", 10), plugin("b", 10), plugin("c", 5)};
  c.manifests[0].exclusive = c.manifests[1].exclusive = {"s"};
  CHECK(c.selected() == Ids{"a", "c"});
  c.manifests[1].synergies = {{{"c"}, 300, ""}};
  CHECK(c.selected() == Ids{"b", "c"});
  CHECK(c.resolution().objective.synergy_permille == 300);
  c.manifests[2].synergies = {{{"b"}, 200, ""}};  // the other side says less
  CHECK(c.resolution().objective.synergy_permille == 200);
  c.manifests[2].synergies.push_back({{"nobody"}, 900, ""});
  CHECK(c.resolution().objective.synergy_permille == 200);

  // A bare name that two plugins offer is one synergy.
  c.manifests[0].exclusive.clear();
  c.manifests[1].synergies = {{{"q8"}, 100, ""}};
  c.manifests[2].synergies.clear();
  c.manifests[0].optimizations = c.manifests[2].optimizations = {optimization("q8", 1)};
  CHECK(c.optimizations() == Ids{"a/q8", "c/q8"});
  CHECK(c.resolution().objective.synergy_permille == 100);
}

TEST_CASE("both sides of a synergy with several versions count once, with the lower gain of the version") {
  Case c;
  c.manifests = {plugin("a", 10, "1.0.0"), plugin("a", 10, "2.0.0"), plugin("b", 10)};
  c.manifests[0].synergies = {{{"b"}, 300, ""}};
  c.manifests[1].synergies = {{{"b"}, 100, ""}};
  c.manifests[2].synergies = {{{"a"}, 200, ""}};
  CHECK(c.resolution().objective.synergy_permille == 200);
  CHECK(c.resolution().selected[0].manifest == 0U);
}

TEST_CASE("weighted mode lets a synergy overrule a small difference in priority") {
  Case c;
  c.manifests = {plugin("a", 20), plugin("b", 10), plugin("c", 5)};
  c.manifests[0].exclusive = c.manifests[1].exclusive = {"s"};
  c.manifests[1].synergies = {{{"c"}, 300, ""}};
  CHECK(c.selected() == Ids{"a", "c"});
  c.policy.mode = Mode::kWeighted;
  CHECK(c.selected() == Ids{"b", "c"});
  c.policy.lambda = 0;
  CHECK(c.selected() == Ids{"a", "c"});
}

TEST_CASE("relations without end are refused, not computed") {
  Case c;
  for (int i = 0; i < 2500; ++i) {
    c.manifests.push_back(plugin("p" + std::to_string(i), 1));
    c.manifests.back().provides = {{"x.y/1", {"f32"}, {"row"}, 4}};
    c.manifests.back().optimizations = {optimization("o", 1)};
  }
  CHECK(c.selected().size() == 2500);
  Case conflicts = c;
  for (manifest::Manifest& m : conflicts.manifests) m.conflicts = {{"provides:x.y/1", {}, ""}};
  CHECK(conflicts.error().starts_with("the manifests declare more than 4000000 conflicts"));
  for (manifest::Manifest& m : c.manifests) m.synergies = {{{"o"}, 1, ""}};
  CHECK(c.error().starts_with("the manifests' synergies name more than 4000000 candidates"));
}

TEST_CASE("globs") {
  CHECK(matches_glob("*", ""));
  CHECK(matches_glob("cpu_*", "cpu_avx2"));
  CHECK(matches_glob("*a*b", "xaxbxb"));
  CHECK(matches_glob("cpu_av?2", "cpu_avx2"));
  CHECK(!matches_glob("cpu_av?2", "cpu_av2"));
  CHECK(!matches_glob("cpu", "cpu_avx2"));
  CHECK(!matches_glob("", "a"));
  CHECK(matches_glob("a*/b*", "ax/by"));
}

namespace {

// Every name that a random manifest may speak of.
std::string some_name(std::mt19937& random) {
  static const Ids names = {"p0", "p1",    "p2",    "p3",   "p4",     "p5",      "o0",
                            "o1", "p0/o0", "p3/o1", "core", "nobody", "slot:s0", "provides:x.y/1"};
  return names[random() % names.size()];
}

manifest::Manifest random_plugin(std::mt19937& random, int number) {
  manifest::Manifest m = plugin("p" + std::to_string(number), static_cast<std::int32_t>(random() % 5) - 1,
                                std::to_string(1 + random() % 2) + ".0.0");
  m.file = "file" + std::to_string(random());
  if (random() % 2 == 0) m.exclusive = {"s" + std::to_string(random() % 2)};
  if (random() % 3 == 0) m.conflicts = {{some_name(random), {}, "random"}};
  if (random() % 3 == 0) m.requires_.plugins = {{"p" + std::to_string(random() % 7), {}}};
  if (random() % 3 == 0) m.synergies = {{{some_name(random)}, static_cast<std::int64_t>(random() % 500), ""}};
  if (random() % 3 == 0) m.provides = {{"x.y/1", {"f32"}, {"row"}, 4}};
  for (unsigned i = 0; i < random() % 3; ++i) {
    manifest::Optimization o =
        optimization("o" + std::to_string(i), static_cast<std::int32_t>(random() % 5) - 1);
    o.level = static_cast<manifest::Level>(random() % 3);
    if (random() % 3 == 0) o.conflicts = {{some_name(random), {}, "random"}};
    if (random() % 4 == 0) o.requires_optimizations = {"o0"};
    if (random() % 3 == 0) o.synergies = {{{some_name(random), some_name(random)}, 100, ""}};
    m.optimizations.push_back(std::move(o));
  }
  return m;
}

}  // namespace

TEST_CASE("everything is selected or refused, and the order of manifests changes nothing") {
  for (unsigned seed = 0; seed < 1500; ++seed) {
    std::mt19937 random(seed);
    Case c;
    for (int i = 0; i < 6; ++i) c.manifests.push_back(random_plugin(random, i));
    if (seed % 3 == 0) c.manifests.push_back(random_plugin(random, 0));
    if (seed % 4 == 0) c.policy.bans = {"p2"};
    CAPTURE(seed);
    const Result<Resolution> result = c.result();
    REQUIRE(result.ok());
    std::set<std::string> listed;
    for (const auto& id : ids_of(result->selected)) listed.insert(id);
    for (const auto& id : ids_of(result->optimizations)) listed.insert(id);
    for (const Refusal& refusal : result->refused) {
      listed.insert(refusal.id);
      CHECK(!refusal.reason.empty());
      CHECK(!refusal.detail.empty());
    }
    std::set<std::string> expected;
    for (const manifest::Manifest& m : c.manifests) {
      expected.insert(m.id);
      for (const manifest::Optimization& o : m.optimizations) expected.insert(m.id + "/" + o.id);
    }
    REQUIRE(listed == expected);

    Case shuffled = c;
    std::shuffle(shuffled.manifests.begin(), shuffled.manifests.end(), random);
    const Resolution other = shuffled.resolution();
    REQUIRE(ids_of(other.selected) == ids_of(result->selected));
    REQUIRE(ids_of(other.optimizations) == ids_of(result->optimizations));
    REQUIRE(other.objective == result->objective);
    REQUIRE(other.refused.size() == result->refused.size());
    for (std::size_t i = 0; i < other.refused.size(); ++i) {
      REQUIRE(other.refused[i].id == result->refused[i].id);
      REQUIRE(other.refused[i].reason == result->refused[i].reason);
      REQUIRE(other.refused[i].detail == result->refused[i].detail);
    }
  }
}
