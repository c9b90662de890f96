// Explanations: each verdict, and that the stated alternative is what a pin really gives.
#include "core/resolver/explain.hpp"

#include "tests/core/resolver/fixtures.hpp"
#include "tests/support/doctest.hpp"

#include <random>

using namespace belay;                  // NOLINT(google-build-using-namespace)
using namespace belay::resolver;        // NOLINT(google-build-using-namespace)
using namespace belay::resolver::test;  // NOLINT(google-build-using-namespace)

namespace {

std::vector<Explanation> explained(const Case& c, std::optional<std::string_view> id = {}) {
  auto answer = explain(c.profile, c.manifests, c.refused, c.policy, id);
  REQUIRE(answer.ok());
  return std::move(answer).value();
}

Case rivals() {
  Case c;
  c.manifests = {plugin("cpu_avx2", 300), plugin("cpu_sse", 200), plugin("cpu_scalar", 100)};
  c.manifests[0].exclusive = c.manifests[1].exclusive = {"cpu"};
  return c;
}

}  // namespace

TEST_CASE("the winner is SELECTED, a rival LOST with both vectors, the rest EXCLUDED with its stage") {
  Case c = rivals();
  c.refused = {{"cuda_sm61", Stage::kFit, "NO_DRIVER", "no libcuda.so.1"}};
  c.manifests[2].requires_.plugins = {{"nobody", {}}};
  const std::vector<Explanation> all = explained(c);
  REQUIRE(all.size() == 4);
  CHECK(to_text(all[0]) == "cpu_avx2 1.0.0: SELECTED");
  CHECK(to_text(all[1]) ==
        "cpu_scalar 1.0.0: EXCLUDED at resolve, REQUIRES: it needs nobody: there is no nobody");
  CHECK(to_text(all[2]) ==
        "cpu_sse 1.0.0: LOST to cpu_avx2 by priorities, SLOT: slot cpu is taken by cpu_avx2 (priority 300)\n"
        "  chosen: priorities [300], synergy 0\n"
        "  with it: priorities [200], synergy 0 (cpu_sse)");
  CHECK(to_text(all[3]) == "cuda_sm61: EXCLUDED at fit, NO_DRIVER: no libcuda.so.1");
}

TEST_CASE("the level at which a candidate lost") {
  const auto level = [](const Case& c, std::string_view id) { return explained(c, id).front().level; };
  Case c = rivals();
  CHECK(level(c, "cpu_sse") == LostAt::kPriorities);
  c.manifests[1].priority = 300;
  CHECK(level(c, "cpu_sse") == LostAt::kId);
  c.manifests[0].synergies = {{{"cpu_scalar"}, 50, ""}};
  CHECK(level(c, "cpu_sse") == LostAt::kSynergy);
  c.policy.mode = Mode::kWeighted;
  CHECK(level(c, "cpu_sse") == LostAt::kWeight);
  Case versions;
  versions.manifests = {plugin("a", 5, "1.0.0"), plugin("a", 5, "2.0.0")};
  CHECK(explained(versions)[0].level == LostAt::kVersion);
  CHECK(explained(versions)[0].lost_to == "a");
  Case negative;
  negative.manifests = {plugin("a", -5)};
  CHECK(level(negative, "a") == LostAt::kNegatives);
  CHECK(explained(negative)[0].alternative.negatives == 1);
}

TEST_CASE("one id may be asked for, also by its bare name") {
  Case c = rivals();
  c.manifests[0].optimizations = {optimization("act_q8", 5)};
  c.manifests[1].optimizations = {optimization("act_q8", 5)};
  CHECK(explained(c, "cpu_avx2/act_q8").size() == 1);
  CHECK(explained(c, "act_q8").size() == 2);
  const auto nobody = explain(c.profile, c.manifests, c.refused, c.policy, "nobody");
  REQUIRE(!nobody.ok());
  CHECK(nobody.error().message == "there is no plugin or optimization nobody");
}

TEST_CASE("a pin of the loser gives the stated vector") {
  int lost = 0;
  for (unsigned seed = 0; seed < 400; ++seed) {
    std::mt19937 random(seed);
    Case c;
    for (int i = 0; i < 8; ++i) {
      c.manifests.push_back(plugin("p" + std::to_string(i), static_cast<std::int32_t>(random() % 5) - 1));
      manifest::Manifest& m = c.manifests.back();
      if (random() % 2 == 0) m.exclusive = {"s" + std::to_string(random() % 3)};
      if (random() % 3 == 0) m.conflicts = {{"p" + std::to_string(random() % 8), {}, ""}};
      if (random() % 3 == 0) m.requires_.plugins = {{"p" + std::to_string(random() % 8), {}}};
      if (random() % 2 == 0)
        m.synergies = {
            {{"p" + std::to_string(random() % 8)}, 1 + static_cast<std::int64_t>(random() % 9), ""}};
      m.optimizations = {optimization("o", static_cast<std::int32_t>(random() % 3))};
    }
    if (seed % 2 == 0) c.policy.mode = Mode::kWeighted;
    for (const Explanation& e : explained(c)) {
      CAPTURE(seed);
      CAPTURE(e.id);
      if (e.verdict == Verdict::kSelected) continue;
      Case pinned = c;
      pinned.policy.pins = {e.id};
      REQUIRE(pinned.result().ok() == (e.verdict == Verdict::kLost));
      if (e.verdict != Verdict::kLost) continue;
      ++lost;
      const Resolution r = pinned.resolution();
      REQUIRE(r.objective == e.alternative);
      Ids ids = ids_of(r.selected);
      for (const std::string& id : ids_of(r.optimizations)) ids.push_back(id);
      std::ranges::sort(ids);
      REQUIRE(ids == e.alternative_selection);
      CHECK(e.level != LostAt::kUnproved);
    }
  }
  CHECK(lost > 1000);
}
