#include "core/manifest/cross_check.hpp"

#include "tests/support/doctest.hpp"

#include <string>
#include <vector>

using namespace belay::manifest;  // NOLINT(google-build-using-namespace)

namespace {

Manifest manifest(std::string id, std::string_view version, std::optional<std::string> sha256) {
  Manifest out;
  out.file = id + ".toml";
  out.id = std::move(id);
  out.version = *parse_semver(version);
  out.sha256 = std::move(sha256);
  return out;
}

Manifest with_gain(std::string id, std::vector<std::string> with, std::int64_t permille) {
  Manifest out = manifest(std::move(id), "1.0.0", "1");
  out.synergies.push_back({std::move(with), permille, ""});
  return out;
}

}  // namespace

TEST_CASE("all versions of an id are candidates") {
  const std::vector<Manifest> all = {manifest("a", "1.0.0", "1"), manifest("a", "1.0.1", "2"),
                                     manifest("b", "1.0.0", "1")};
  CHECK(cross_check(all).empty());
  CHECK(cross_check({}).empty());
}

TEST_CASE("one id and version: the same library warns, another one excludes all of them") {
  std::vector<Manifest> all = {manifest("a", "1.0.0", "1"), manifest("b", "1.0.0", "9"),
                               manifest("a", "1.0.0+build", "1")};
  auto findings = cross_check(all);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].index == 2);
  CHECK(findings[0].severity == 'W');
  CHECK(ambiguous(all).empty());

  all.push_back(manifest("a", "1.0.0", "2"));
  findings = cross_check(all);
  REQUIRE(findings.size() == 3);
  CHECK(findings[0].index == 0);
  CHECK(findings[1].index == 2);
  CHECK(findings[2].index == 3);
  const auto refusals = ambiguous(all);
  REQUIRE(refusals.size() == 3);
  CHECK(refusals[0].id == "a");
  CHECK(refusals[0].reason == belay::reason::kAmbiguous);
  CHECK(refusals[0].detail.find("a.toml") != std::string::npos);
}

TEST_CASE("without a pin nobody knows whether two libraries are the same") {
  const std::vector<Manifest> all = {manifest("a", "1.0.0", std::nullopt),
                                     manifest("a", "1.0.0", std::nullopt)};
  CHECK(ambiguous(all).size() == 2);
}

TEST_CASE("two sides of a synergy with different gains: the lower one counts, the other is told") {
  const std::vector<Manifest> all = {with_gain("a", {"b"}, 300), with_gain("b", {"a"}, 200),
                                     with_gain("c", {"a"}, 100)};
  const auto findings = cross_check(all);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].index == 0);
  CHECK(findings[0].severity == 'W');
  CHECK(findings[0].message.find("300") != std::string::npos);
  CHECK(findings[0].message.find("200") != std::string::npos);
}
