// The manifests that Belay ships, and the hostile seeds of the fuzzer.
#include "core/base/mapped_file.hpp"
#include "core/base/toml.hpp"
#include "core/hardware/cpu_features.hpp"
#include "core/manifest/parse.hpp"
#include "core/manifest/requirement.hpp"
#include "tests/core/manifest/sample.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

using namespace belay::manifest;  // NOLINT(google-build-using-namespace)
namespace fs = std::filesystem;

namespace {

std::vector<fs::path> files(const std::string& folder, const std::string& extension) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(fs::path(BELAY_SOURCE_DIR) / folder)) {
    if (extension.empty() || entry.path().extension() == extension) out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

// As the build completes it (sdk/cmake/fill_sha256.cmake).
Manifest shipped(const fs::path& file) {
  auto text = belay::read_file(file, 1U << 20U);
  REQUIRE(text.ok());
  const std::string table = "[plugin]\n";
  const std::size_t at = text->find(table);
  REQUIRE(at != std::string::npos);
  const Parsed parsed = parse_manifest(
      text->insert(at + table.size(), "sha256 = \"" + std::string(64, '0') + "\"\n"), file, true);
  for (const Diagnostic& diagnostic : parsed.diagnostics) FAIL_CHECK(diagnostic.text(file));
  REQUIRE(parsed.manifest.has_value());
  return *parsed.manifest;
}

Manifest shipped_cpu(const char* id) {
  return shipped(fs::path(BELAY_SOURCE_DIR) / "manifests" / (std::string(id) + ".toml"));
}

belay::hardware::Profile x86(const std::string& level) {
  belay::hardware::Profile profile;
  profile.cpu.arch = "x86_64";
  profile.cpu.isa = belay::hardware::expand_isa({level});
  return profile;
}

}  // namespace

TEST_CASE("every shipped manifest is without findings and named after its plugin") {
  const auto all = files("manifests", ".toml");
  CHECK(all.size() >= 3);
  for (const fs::path& file : all) {
    CAPTURE(file);
    const Manifest manifest = shipped(file);
    CHECK(manifest.id == file.stem());
    CHECK(manifest.library == "libbelay_" + manifest.id + ".so");
    for (const std::string& feature : manifest.requires_.cpu_features) {
      const auto& known = belay::hardware::known_cpu_features();
      CAPTURE(feature);
      CHECK(std::find(known.begin(), known.end(), feature) != known.end());
    }
  }
}

TEST_CASE("the CPU plugins ask for exactly their level") {
  const auto fits = [](const char* id, const std::string& level) {
    return unmet(shipped_cpu(id), x86(level)).empty();
  };
  CHECK(fits("cpu_scalar", "x86-64"));
  CHECK(!fits("cpu_sse", "x86-64"));
  CHECK(fits("cpu_sse", "x86-64-v2"));
  CHECK(!fits("cpu_avx2", "x86-64-v2"));
  CHECK(fits("cpu_avx2", "x86-64-v3"));
  // ... and for all of it, since the compiler may use all of it.
  const auto level_of = [](const char* id) {
    auto names = shipped_cpu(id).requires_.cpu_features;
    for (const std::string& base : belay::hardware::expand_isa({"x86-64"})) names.push_back(base);
    return belay::hardware::complete_isa(names);
  };
  const auto has = [](const std::vector<std::string>& isa, const char* level) {
    return std::find(isa.begin(), isa.end(), level) != isa.end();
  };
  CHECK(has(level_of("cpu_sse"), "x86-64-v2"));
  CHECK(has(level_of("cpu_avx2"), "x86-64-v3"));

  const auto refusals = unmet(shipped_cpu("cpu_avx2"), x86("x86-64-v2"));
  REQUIRE(refusals.size() == 1);
  CHECK(refusals[0].detail == "this CPU lacks avx, avx2, bmi, bmi2, f16c, fma, lzcnt, movbe");
}

TEST_CASE("the fuzzer's seeds: all but the valid ones are refused or warned about, none crashes") {
  const auto seeds = files("tests/fuzz/corpus/manifest", "");
  CHECK(seeds.size() >= 20);
  for (const fs::path& seed : seeds) {
    CAPTURE(seed);
    const Parsed parsed = load_manifest(seed);
    CHECK(parsed.diagnostics.empty() == seed.filename().string().starts_with("valid"));
  }
}

TEST_CASE("2000 manifests are read within a few seconds, even under sanitizers") {
  const auto begin = std::chrono::steady_clock::now();
  std::size_t parsed = 0;
  for (int i = 0; i < 2000; ++i) parsed += parse_manifest(kSample, "x.toml").manifest.has_value() ? 1 : 0;
  CHECK(parsed == 2000);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  MESSAGE("one manifest: " << seconds.count() / 2000 * 1e6 << " us");
  CHECK(seconds.count() < 10.0);
}
