// What is found in plugin folders, in which order, and what is said about the rest.
#include "core/registry/catalog.hpp"

#include "core/base/format.hpp"
#include "tests/core/registry/support.hpp"
#include "tests/support/doctest.hpp"

namespace belay::registry::test {
namespace {

namespace fs = std::filesystem;

std::string manifest_text(const std::string& id, const std::string& version, char pin = 'a') {
  return format(
      "schema = 1\n[plugin]\nid = \"{}\"\nversion = \"{}\"\nlibrary = \"lib{}.so\"\nsha256 = \"{}\"\n"
      "[abi]\nmajor = 1\nmin_minor = 0\nbuilt_minor = 0\n"
      "[[provides]]\nop = \"belay.add/1\"\ndtypes = [\"f32\"]\n",
      id, version, id, std::string(64, pin));
}

Catalog find(const std::vector<SearchFolder>& folders, CatalogOptions options = {.plan_only = true}) {
  auto catalog = find_plugins({folders}, options);
  REQUIRE(catalog.ok());
  return std::move(catalog).value();
}

std::vector<std::string> ids(const Catalog& catalog) {
  std::vector<std::string> all;
  for (const Found& found : catalog.candidates) all.push_back(found.manifest.id);
  return all;
}

TEST_CASE("manifests are found in byte-wise order and nothing else is read") {
  const TempDir temp;
  write(temp.path() / "b.toml", manifest_text("beta", "1.0.0"));
  write(temp.path() / "a.toml", manifest_text("alpha", "1.0.0"));
  write(temp.path() / "Z.toml", manifest_text("zeta", "1.0.0"));
  write(temp.path() / "c.toml.tmp", "half a manifest");
  write(temp.path() / "inner" / "d.toml", manifest_text("delta", "1.0.0"));
  const Catalog catalog = find({{temp.path(), Origin::kGiven}});
  CHECK(ids(catalog) == std::vector<std::string>{"zeta", "alpha", "beta"});
  CHECK(catalog.refused.empty());
}

TEST_CASE("a manifest that does not parse is listed under its file name") {
  const TempDir temp;
  write(temp.path() / "good.toml", manifest_text("good", "1.0.0"));
  write(temp.path() / "bad.toml", "schema = 1\n[plugin\n");
  write(temp.path() / "new.toml", "schema = 99\n");
  const Catalog catalog = find({{temp.path(), Origin::kGiven}});
  CHECK(ids(catalog) == std::vector<std::string>{"good"});
  REQUIRE(catalog.refused.size() == 2);
  CHECK(catalog.refused[0].refusal.id == "bad.toml");
  CHECK(code(catalog.refused[0].refusal) == "parse/BAD_MANIFEST");
  CHECK(catalog.refused[1].refusal.id == "new.toml");
  CHECK(code(catalog.refused[1].refusal) == "parse/NEWER_SCHEMA");
  CHECK(catalog.diagnostics.size() >= 2);
}

TEST_CASE("a given folder must exist, others need not") {
  const TempDir temp;
  CHECK(
      find({{temp.path() / "no", Origin::kBuiltIn}, {temp.path() / "no", Origin::kUser}}).candidates.empty());
  const auto missing = find_plugins({{{temp.path() / "no", Origin::kGiven}}}, {.plan_only = true});
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().code == ErrorCode::kUsage);
  CHECK(missing.error().message.find("no such folder") != std::string::npos);
  write(temp.path() / "file", "");
  CHECK_FALSE(find_plugins({{{temp.path() / "file", Origin::kGiven}}}, {.plan_only = true}).ok());
}

TEST_CASE("one plugin in two folders") {
  const TempDir temp;
  const fs::path first = temp.path() / "first";
  const fs::path second = temp.path() / "second";
  write(first / "p.toml", manifest_text("p", "1.0.0"));
  SUBCASE("an equal copy counts once") {
    write(second / "p.toml", manifest_text("p", "1.0.0"));
    const Catalog catalog = find({{first, Origin::kGiven}, {second, Origin::kGiven}});
    REQUIRE(catalog.candidates.size() == 1);
    CHECK(catalog.candidates[0].folder == first);
    CHECK(catalog.refused.empty());
    CHECK(catalog.diagnostics.size() == 1);
  }
  SUBCASE("different libraries under one version count not at all") {
    write(second / "p.toml", manifest_text("p", "1.0.0", 'b'));
    const Catalog catalog = find({{first, Origin::kGiven}, {second, Origin::kGiven}});
    CHECK(catalog.candidates.empty());
    REQUIRE(catalog.refused.size() == 2);
    CHECK(code(catalog.refused[0].refusal) == "parse/AMBIGUOUS");
    CHECK(catalog.refused[0].version == "1.0.0");
  }
  SUBCASE("different versions are both candidates") {
    write(second / "p.toml", manifest_text("p", "1.1.0", 'b'));
    CHECK(find({{first, Origin::kGiven}, {second, Origin::kGiven}}).candidates.size() == 2);
  }
  SUBCASE("the same folder twice is one folder") {
    fs::create_directory_symlink(first, second);
    const Catalog catalog =
        find({{first, Origin::kGiven}, {second, Origin::kGiven}, {first / ".", Origin::kGiven}});
    CHECK(catalog.candidates.size() == 1);
    CHECK(catalog.diagnostics.empty());
  }
}

TEST_CASE("somebody else's folder cannot make a trusted plugin ambiguous") {
  const TempDir temp;
  install("test_good", temp.path() / "mine");
  install("test_good", temp.path() / "open_to_all");
  write(temp.path() / "open_to_all" / "test_good.toml", manifest_text("test_good", "0.1.0", 'b'));
  fs::permissions(temp.path() / "open_to_all", fs::perms::all);
  const Catalog catalog =
      find({{temp.path() / "open_to_all", Origin::kGiven}, {temp.path() / "mine", Origin::kGiven}}, {});
  CHECK(ids(catalog) == std::vector<std::string>{"test_good"});
  REQUIRE(catalog.refused.size() == 1);
  CHECK(code(catalog.refused[0].refusal) == "trust/UNTRUSTED");
}

TEST_CASE("planning needs no library, running does") {
  const TempDir temp;
  write(temp.path() / "p.toml", manifest_text("p", "1.0.0"));
  const Catalog plan = find({{temp.path(), Origin::kGiven}});
  REQUIRE(plan.candidates.size() == 1);
  CHECK_FALSE(plan.candidates[0].library.has_value());
  CHECK(plan.candidates[0].library_path == temp.path() / "libp.so");
  const Catalog run = find({{temp.path(), Origin::kGiven}}, {});
  CHECK(run.candidates.empty());
  REQUIRE(run.refused.size() == 1);
  CHECK(code(run.refused[0].refusal) == "trust/NO_LIBRARY");
  CHECK(run.refused[0].path == temp.path() / "libp.so");
}

TEST_CASE("strict turns a warning into a refusal") {
  const TempDir temp;
  write(temp.path() / "p.toml", manifest_text("p", "1.0.0") + "[unheard_of]\nx = 1\n");
  CHECK(find({{temp.path(), Origin::kGiven}}).candidates.size() == 1);
  const Catalog strict = find({{temp.path(), Origin::kGiven}}, {.plan_only = true, .strict = true});
  CHECK(strict.candidates.empty());
  REQUIRE(strict.refused.size() == 1);
  CHECK(code(strict.refused[0].refusal) == "parse/BAD_MANIFEST");
}

}  // namespace
}  // namespace belay::registry::test
