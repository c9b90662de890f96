// What the manifests that come with Belay say about others.
#include "core/manifest/parse.hpp"
#include "tests/core/resolver/fixtures.hpp"
#include "tests/support/doctest.hpp"

using namespace belay;                  // NOLINT(google-build-using-namespace)
using namespace belay::resolver;        // NOLINT(google-build-using-namespace)
using namespace belay::resolver::test;  // NOLINT(google-build-using-namespace)

namespace {

manifest::Manifest shipped(const std::string& id) {
  auto parsed = manifest::load_manifest(std::filesystem::path(BELAY_TEST_MANIFESTS) / (id + ".toml"));
  REQUIRE(parsed.manifest.has_value());
  return *std::move(parsed.manifest);
}

Case with_storage() {
  Case c;
  c.manifests = {shipped("nvme_offload"), plugin("core", 0)};
  c.manifests[1].optimizations = {optimization("weight_offload", 0)};
  return c;
}

}  // namespace

TEST_CASE("one plugin reads for the core") {
  Case c = with_storage();
  c.manifests.push_back(plugin("acme.storage", 200));
  c.manifests.back().exclusive = {"storage"};
  CHECK(c.selected() == Ids{"acme.storage"});
  CHECK(c.refusal("nvme_offload") == "SLOT: slot storage is taken by acme.storage (priority 200)");
}

TEST_CASE("nvme_offload does not go with a plugin that maps the model's file itself") {
  Case c = with_storage();
  c.manifests.push_back(plugin("acme.mapped", 50));
  c.manifests.back().exclusive = {"model_mapping"};
  CHECK(c.selected() == Ids{"nvme_offload"});
  CHECK(c.refusal("acme.mapped")
            .starts_with("CONFLICT: it conflicts with nvme_offload (priority 100): a plugin that maps"));
}

TEST_CASE("nvme_offload is worth more where weights may be streamed") {
  Case c = with_storage();
  CHECK(c.resolution().objective.synergy_permille > 0);
  c.policy.bans = {"core/weight_offload"};
  CHECK(c.resolution().objective.synergy_permille == 0);
}
