#include "core/manifest/parse.hpp"

#include "core/base/format.hpp"
#include "tests/core/manifest/sample.hpp"
#include "tests/support/doctest.hpp"

#include <unistd.h>

#include <fstream>
#include <string>

using namespace belay::manifest;  // NOLINT(google-build-using-namespace)
namespace reason = belay::reason;

namespace {

std::string findings(const Parsed& parsed) {
  std::string out;
  for (const Diagnostic& diagnostic : parsed.diagnostics)
    out += diagnostic.severity + (" " + diagnostic.text("f.toml") + "\n");
  return out;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string minimal(std::string_view more = "") {
  return "schema = 1\n[plugin]\nid = \"x\"\nversion = \"1.0.0\"\nlibrary = \"x.so\"\nsha256 = \"" +
         std::string(64, 'a') +
         "\"\n[abi]\nmajor = 1\nmin_minor = 0\nbuilt_minor = 0\n[[provides]]\nop = \"belay.add/1\"\ndtypes = "
         "[\"f32\"]\n" +
         std::string(more);
}

}  // namespace

TEST_CASE("every key arrives") {
  const Parsed parsed = parse_manifest(kSample, "dir/acme.toml", true);
  INFO(findings(parsed));
  CHECK(parsed.diagnostics.empty());
  CHECK(!parsed.refusal);
  REQUIRE(parsed.manifest.has_value());
  const Manifest& m = *parsed.manifest;
  CHECK(m.file == "dir/acme.toml");
  CHECK(m.id == "acme.gpu");
  CHECK(m.version.text() == "0.3.1");
  CHECK((m.name + "|" + m.description + "|" + m.url + "|" + m.license) ==
        "Acme|all keys|https://example.org|Apache-2.0");
  CHECK(m.library == "lib/libacme.so");
  CHECK(m.sha256->substr(0, 4) == "0011");
  CHECK(m.signature == "acme.minisig");
  CHECK(m.abi_major == 1);
  CHECK(m.abi_min_minor == 0);
  CHECK(m.abi_built_minor == 2);
  CHECK(m.priority == 800);
  CHECK(m.exclusive == std::vector<std::string>{"gpu-compute", "big"});
  CHECK(m.isolation == Isolation::kWorker);
  REQUIRE(m.requires_.plugins.size() == 2);
  CHECK(m.requires_.plugins[0].id == "cpu_scalar");
  CHECK(m.requires_.plugins[0].versions.text() == ">=0.3");
  CHECK(m.requires_.plugins[1].versions.any());
  REQUIRE(m.requires_.any_of.size() == 1);
  CHECK(m.requires_.any_of[0][1].id == "cpu_sse");
  CHECK(m.requires_.any_of[0][1].versions.text() == "<2");
  CHECK(m.requires_.os == std::vector<std::string>{"linux"});
  CHECK(m.requires_.cpu_arch == std::vector<std::string>{"x86_64"});
  CHECK(m.requires_.cpu_features == std::vector<std::string>{"avx2", "fma"});
  REQUIRE(m.requires_.gpu.has_value());
  CHECK(m.requires_.gpu->vendor == "nvidia");
  CHECK(m.requires_.gpu->compute_capability.text() == ">=6.1, <9");
  CHECK(m.requires_.gpu->driver.text() == ">=535");
  CHECK(m.requires_.gpu->ptx->text() == "6.1");
  CHECK(m.requires_.gpu->memory_mib == 2048);
  CHECK(m.requires_.gpu->count == 2);
  CHECK(m.requires_.host_mib == 512);
  REQUIRE(m.requires_.storage.has_value());
  CHECK(m.requires_.storage->nvme);
  CHECK(m.requires_.storage->min_read_mib_s == 1000);
  REQUIRE(m.conflicts.size() == 2);
  CHECK(m.conflicts[0].target == "org.example.cuda_generic");
  CHECK(m.conflicts[0].versions.text() == "<2");
  CHECK(m.conflicts[0].reason == "both claim the primary context");
  CHECK(m.conflicts[1].target == "slot:other");
  REQUIRE(m.synergies.size() == 1);
  CHECK(m.synergies[0].with == std::vector<std::string>{"nvme_offload"});
  CHECK(m.synergies[0].gain_permille == 300);
  REQUIRE(m.provides.size() == 2);
  CHECK(m.provides[0].op == "belay.linear/1");
  CHECK(m.provides[0].dtypes == std::vector<std::string>{"f32", "f16", "q8_0*f32"});
  CHECK(m.provides[0].layouts == std::vector<std::string>{"row", "tiled"});
  CHECK(m.provides[0].max_rank == 3);
  CHECK(m.runtime.openmp == "gomp");
  CHECK(m.runtime.threads == "own");
  CHECK(m.runtime.unload_safe);
  CHECK(m.runtime.device_alloc_in_run);
  CHECK(m.runtime.needs == std::vector<std::string>{"libopenblas.so.0"});
  CHECK(m.probe.timeout_ms == 1000);
  CHECK(!m.probe.known_answer);
  CHECK(m.probe.env_allow == std::vector<std::string>{"CUDA_VISIBLE_DEVICES"});
  REQUIRE(m.optimizations.size() == 2);
  const Optimization& o = m.optimizations[0];
  CHECK(o.id == "sparse");
  CHECK(o.kind == "attention");
  CHECK(o.level == Level::kAggressive);
  CHECK(!o.lossless);
  CHECK(o.priority == 300);
  CHECK(o.requires_plugins[0].id == "cpu_sse");
  CHECK(o.requires_optimizations == std::vector<std::string>{"tiled"});
  CHECK(o.requires_host_mib == 64);
  CHECK(o.conflicts[0].target == "kv_q4");
  CHECK(o.synergies[0].gain_permille == 100);
  CHECK(o.budget.kld == 0.06);
  CHECK(o.budget.top1 == 0.88);
  CHECK(o.budget.ppl == 0.03);
  CHECK(m.optimizations[1].lossless);
}

TEST_CASE("defaults") {
  const Parsed parsed = parse_manifest(minimal("[[optimization]]\nid = \"x/careful\"\n[[optimization]]\nid = "
                                               "\"same\"\nlossless = true\n[requires.gpu]\n"),
                                       "x.toml");
  INFO(findings(parsed));
  CHECK(parsed.diagnostics.empty());
  REQUIRE(parsed.manifest.has_value());
  const Manifest& m = *parsed.manifest;
  CHECK(m.priority == 0);
  CHECK(m.isolation == Isolation::kInproc);
  CHECK(m.name.empty());
  CHECK(!m.signature);
  CHECK(!m.requires_.storage);
  CHECK(!m.requires_.gpu->vendor);
  CHECK(m.requires_.gpu->count == 1);
  CHECK(m.provides[0].layouts == std::vector<std::string>{"row"});
  CHECK(m.provides[0].max_rank == 4);
  CHECK(m.runtime.openmp == "none");
  CHECK(m.runtime.threads == "host");
  CHECK(!m.runtime.unload_safe);
  CHECK(m.probe.timeout_ms == 5000);
  CHECK(m.probe.known_answer);
  CHECK(m.optimizations[0].id == "careful");
  CHECK(m.optimizations[0].kind == "other");
  CHECK(m.optimizations[0].level == Level::kModerate);
  CHECK(m.optimizations[1].level == Level::kMinimal);
  CHECK(m.optimizations[0].priority == 0);
}

TEST_CASE("display texts lose what could confuse a terminal") {
  const Parsed parsed = parse_manifest(
      minimal("[[conflicts]]\nid = \"y\"\nreason = \"a\\u001b[31m\\u009bb\\u00e9\\n\"\n"), "x.toml");
  REQUIRE(parsed.manifest.has_value());
  CHECK(parsed.manifest->conflicts[0].reason == "a[31mb\xC3\xA9");
}

TEST_CASE("a manifest that does not parse is refused under its file name, with the place") {
  const Parsed parsed = parse_manifest("schema = 1\n[plugin\n", "some/dir/broken.toml");
  CHECK(!parsed.manifest);
  REQUIRE(parsed.refusal.has_value());
  CHECK(parsed.refusal->id == "broken.toml");
  CHECK(parsed.refusal->stage == belay::Stage::kParse);
  CHECK(parsed.refusal->reason == reason::kBadManifest);
  CHECK(contains(parsed.refusal->detail, "some/dir/broken.toml:2:"));
  CHECK(contains(parsed.refusal->detail, "SYNTAX"));
}

TEST_CASE("a newer schema is told apart and nothing else is judged") {
  const Parsed parsed = parse_manifest("schema = 2\n[new]\nthings = 1\n", "x.toml");
  CHECK(parsed.diagnostics.size() == 1);
  REQUIRE(parsed.refusal.has_value());
  CHECK(parsed.refusal->reason == reason::kNewerSchema);
  CHECK(contains(parsed.refusal->detail, "newer belay"));
}

TEST_CASE("the refusal tells how much more is wrong") {
  const Parsed parsed = parse_manifest("schema = 1\n", "x.toml");
  REQUIRE(parsed.refusal.has_value());
  CHECK(contains(parsed.refusal->detail, "[plugin]"));
  CHECK(contains(parsed.refusal->detail, "And 1 more."));
}

TEST_CASE("load_manifest: a missing, a special and a large file are refused under their names") {
  for (const char* path : {"/nonexistent/a.toml", "/"}) {
    const Parsed parsed = load_manifest(path);
    CHECK(!parsed.manifest);
    REQUIRE(parsed.refusal.has_value());
    CHECK(contains(parsed.refusal->detail, "UNREADABLE"));
  }
  const auto path =
      std::filesystem::temp_directory_path() / belay::format("belay_manifest_{}.toml", ::getpid());
  std::ofstream(path) << kSample;
  CHECK(load_manifest(path, true).manifest.has_value());
  std::ofstream(path) << std::string(70000, '#');
  CHECK(load_manifest(path).refusal->id == path.filename());
  std::filesystem::remove(path);
}
