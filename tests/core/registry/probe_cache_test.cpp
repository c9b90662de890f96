// Probe results are remembered exactly as long as nothing they depend on changes, and a bad cache file is
// none.
#include "core/registry/probe_cache.hpp"

#include "core/base/format.hpp"
#include "tests/core/registry/support.hpp"
#include "tests/support/doctest.hpp"

#include <sys/stat.h>
#include <sys/time.h>

#include <cstdlib>
#include <set>

namespace belay::registry::test {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kNow = 1'000'000;

Verdict usable() {
  Verdict verdict;
  verdict.sha256 = std::string(64, 'b');
  verdict.device.name = std::string("d");
  return verdict;
}

Verdict refused(std::string_view reason) {
  Verdict verdict;
  verdict.objection = Objection{Stage::kProbe, std::string(reason), "because"};
  return verdict;
}

TEST_CASE("what was put is found by the next start") {
  const TempDir temp;
  const fs::path file = temp.path() / "cache" / "probes.json";
  ProbeCache first(file, trust_current_user(), kNow);
  CHECK(first.find("k1") == nullptr);
  first.put("/p/a.so", "k1", usable());
  first.put("/p/b.so", "k2", refused(reason::kProbeSigill));
  REQUIRE(first.save().ok());
  struct stat facts = {};
  REQUIRE(::stat(file.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);

  const ProbeCache second(file, trust_current_user(), kNow + 10);
  REQUIRE(second.find("k1") != nullptr);
  CHECK(second.find("k1")->device.name == "d");
  REQUIRE(second.find("k2") != nullptr);
  CHECK(code(*second.find("k2")->objection) == "probe/PROBE_SIGILL");
  CHECK(second.find("k3") == nullptr);
  CHECK(std::distance(fs::directory_iterator(file.parent_path()), fs::directory_iterator()) == 1);
}

TEST_CASE("refusals are forgotten with time, and passing ones at once") {
  const TempDir temp;
  const fs::path file = temp.path() / "probes.json";
  ProbeCache cache(file, trust_current_user(), kNow);
  cache.put("/p/a.so", "crash", refused(reason::kProbeCrash));
  cache.put("/p/b.so", "driver", refused(reason::kNoDriver));
  cache.put("/p/c.so", "failed", refused(reason::kProbeFailed));
  cache.put("/p/d.so", "good", usable());
  REQUIRE(cache.save().ok());
  CHECK(ProbeCache(file, trust_current_user(), kNow + 3000).find("crash") != nullptr);
  CHECK(ProbeCache(file, trust_current_user(), kNow + 3601).find("crash") == nullptr);
  CHECK(ProbeCache(file, trust_current_user(), kNow - 5000).find("crash") == nullptr);  // a clock set back
  CHECK(ProbeCache(file, trust_current_user(), kNow).find("driver") == nullptr);
  CHECK(ProbeCache(file, trust_current_user(), kNow).find("failed") == nullptr);
  CHECK(ProbeCache(file, trust_current_user(), kNow + 1'000'000'000).find("good") != nullptr);
}

TEST_CASE("a new verdict on a library replaces its former one, and the file stays small") {
  const TempDir temp;
  const fs::path file = temp.path() / "probes.json";
  ProbeCache cache(file, trust_current_user(), kNow);
  for (int i = 0; i < 1000; ++i) cache.put(format("/p/{}.so", i % 500), format("key {}", i), usable());
  CHECK(cache.find("key 0") == nullptr);
  CHECK(cache.find("key 999") != nullptr);
  REQUIRE(cache.save().ok());
  CHECK(fs::file_size(file) < 200'000);
  const ProbeCache next(file, trust_current_user(), kNow);
  CHECK(next.find("key 999") != nullptr);
  CHECK(next.find("key 600") == nullptr);
}

TEST_CASE("a bad, foreign or absent file is an empty cache, and is built anew") {
  const TempDir temp;
  const fs::path file = temp.path() / "probes.json";
  TrustPolicy policy = trust_current_user();
  {
    ProbeCache cache(file, policy, kNow);
    cache.put("/p/a.so", "k", usable());
    REQUIRE(cache.save().ok());
    REQUIRE(ProbeCache(file, policy, kNow).find("k") != nullptr);
  }
  const auto whole = bytes_of(file);
  SUBCASE("cut short") { write(file, std::span(whole).first(whole.size() / 2)); }
  SUBCASE("empty") { write(file, ""); }
  SUBCASE("another schema") { write(file, "{\"schema\":\"belay.probe_cache/2\",\"entries\":[]}"); }
  SUBCASE("not a list") { write(file, "{\"schema\":\"belay.probe_cache/1\",\"entries\":{\"k\":1}}"); }
  SUBCASE("entries of other types") {
    write(file,
          "{\"schema\":\"belay.probe_cache/"
          "1\",\"entries\":[1,{\"verdict\":2},{\"verdict\":{},\"library\":3}]}");
  }
  SUBCASE("too large") { write(file, std::string(std::size_t{2} << 20U, ' ')); }
  SUBCASE("of somebody else") { policy = make_foreign(file); }
  SUBCASE("writable by all") { fs::permissions(file, fs::perms::all); }
  SUBCASE("a link") {
    fs::rename(file, temp.path() / "elsewhere");
    fs::create_symlink(temp.path() / "elsewhere", file);
  }
  ProbeCache cache(file, policy, kNow);
  CHECK(cache.find("k") == nullptr);
  cache.put("/p/a.so", "k", usable());
  CHECK(cache.save().ok());
  CHECK(ProbeCache(file, trust_current_user(), kNow).find("k") != nullptr);
}

TEST_CASE("a cache that cannot be written says so, and one without a file does nothing") {
  ProbeCache nowhere("/proc/no/such/folder/probes.json", trust_current_user(), kNow);
  nowhere.put("/p/a.so", "k", usable());
  CHECK_FALSE(nowhere.save().ok());
  ProbeCache none({}, trust_current_user(), kNow);
  none.put("/p/a.so", "k", usable());
  CHECK(none.find("k") == nullptr);
  CHECK(none.save().ok());
}

TEST_CASE("every fact that a verdict depends on changes the key") {
  const TempDir temp;
  install("test_good", temp.path());
  const fs::path path = library_of(temp.path(), "test_good");
  const auto open = [&] {
    auto file = LibraryFile::open(temp.path(), path.filename().string(), trust_current_user());
    REQUIRE(file.ok());
    return std::move(file).value();
  };
  const std::string machine = machine_signature(profile(), launcher());
  const manifest::Manifest manifest = manifest_of("test_good");
  std::set<std::string> keys = {probe_key(open(), manifest, machine)};
  CHECK(keys.count(probe_key(open(), manifest, machine)) == 1);  // and nothing else does

  const auto with_manifest = [&](auto change) {
    manifest::Manifest other = manifest;
    change(other);
    CHECK(keys.insert(probe_key(open(), other, machine)).second);
  };
  with_manifest([](auto& m) { m.id = "other"; });
  with_manifest([](auto& m) { m.version = *manifest::parse_semver("9.9.9"); });
  with_manifest([](auto& m) { m.sha256 = std::string(64, '0'); });
  with_manifest([](auto& m) { m.abi_built_minor = 1; });
  with_manifest([](auto& m) { m.runtime.needs = {"libx.so"}; });
  with_manifest([](auto& m) { m.runtime.openmp = "gomp"; });
  with_manifest([](auto& m) { m.provides[0].dtypes = {"f16"}; });
  with_manifest([](auto& m) { m.probe.known_answer = false; });
  ::setenv("BELAY_TEST_VARIABLE", "another value", 1);
  CHECK(keys.insert(probe_key(open(), manifest, machine)).second);

  const auto with_machine = [&](auto change) {
    hardware::Profile other = profile();
    change(other);
    CHECK(keys.insert(probe_key(open(), manifest, machine_signature(other, launcher()))).second);
  };
  with_machine([](auto& m) { m.cpu.isa->push_back("avx2"); });
  with_machine([](auto& m) { m.cpu.isa.reset(); });
  with_machine([](auto& m) { m.cpu.model = "another CPU"; });
  with_machine([](auto& m) { m.gpus.emplace_back().driver = "535.1"; });
  with_machine([](auto& m) { m.gpus.emplace_back().driver = "535.2"; });
  SelfLauncher other = launcher();
  other.prefix = {"qemu-x86_64"};
  CHECK(keys.insert(probe_key(open(), manifest, machine_signature(profile(), other))).second);
  other.prefix.clear();
  other.program = "/bin/true";
  CHECK(keys.insert(probe_key(open(), manifest, machine_signature(profile(), other))).second);

  auto bytes = bytes_of(path);
  write(path, bytes);  // the same bytes at another time
  CHECK(keys.insert(probe_key(open(), manifest, machine)).second);
  fs::copy_file(path, temp.path() / "copy");
  fs::rename(temp.path() / "copy", path);  // another inode
  CHECK(keys.insert(probe_key(open(), manifest, machine)).second);
}

}  // namespace
}  // namespace belay::registry::test
