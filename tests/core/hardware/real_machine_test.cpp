// The machine that runs the tests: only what holds everywhere.
#include "core/hardware/cpu_features.hpp"
#include "core/hardware/gpu.hpp"
#include "core/hardware/native_cpu.hpp"
#include "core/hardware/probe.hpp"
#include "core/hardware/profile_toml.hpp"
#include "core/hardware/source_linux.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>

namespace belay::hardware {
namespace {

TEST_CASE("the probe of this machine agrees with itself") {
  const RealSource source;
  ProbeOptions options;
  options.storage_folders = {"/", "/nonexistent/folder"};
  options.gpus = AskGpus::kNever;
  const auto start = std::chrono::steady_clock::now();
  const Profile profile = probe(source, options);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  MESSAGE("probe took " << took.count() << " ms");
  MESSAGE(write_profile(profile));
  REQUIRE(profile.cpu.usable_cpus);
  CHECK(*profile.cpu.usable_cpus >= 1);
  CHECK(profile.cpu.allowed.size() >= *profile.cpu.usable_cpus);
  if (profile.memory.total_bytes) CHECK(*profile.memory.total_bytes > 0);
  if (profile.cpu.physical_cores) CHECK(*profile.cpu.physical_cores <= *profile.cpu.logical_cpus);
  REQUIRE(profile.storage.size() == 2);
  CHECK(profile.storage[0].free_bytes);
  CHECK_FALSE(profile.storage[1].free_bytes);
  const auto again = read_profile(write_profile(profile), "itself");
  REQUIRE_MESSAGE(again.ok(), again.error().message);
  CHECK(write_profile(*again) == write_profile(profile));
}

TEST_CASE("hwloc is asked without leaving a trace in the environment") {
  for (const char* name : {"HWLOC_PLUGINS_PATH", "HWLOC_HIDE_ERRORS"}) {
    const auto variable = [&] {
      const char* value = std::getenv(name);
      return value == nullptr ? std::string("unset") : value;
    };
    const std::string before = variable();
    (void)RealSource().topology();
    CHECK(variable() == before);
  }
}

#if defined(__x86_64__)
TEST_CASE("GCC's own look at this CPU agrees") {
  ProbeOptions options;
  options.gpus = AskGpus::kNever;
  const Profile profile = probe(RealSource(), options);
  REQUIRE(profile.cpu.isa);
  __builtin_cpu_init();
#define BELAY_SAME(name) \
  CHECK_MESSAGE(has_cpu_feature(profile, name) == (__builtin_cpu_supports(name) != 0), name)
  BELAY_SAME("sse2");
  BELAY_SAME("ssse3");
  BELAY_SAME("sse4.1");
  BELAY_SAME("sse4.2");
  BELAY_SAME("popcnt");
  BELAY_SAME("avx");
  BELAY_SAME("avx2");
  BELAY_SAME("fma");
  BELAY_SAME("bmi");
  BELAY_SAME("bmi2");
  BELAY_SAME("avx512f");
  BELAY_SAME("avx512vl");
  BELAY_SAME("avx512vnni");
  BELAY_SAME("avx512vbmi");
#if !defined(__clang__)  // clang 14 and 16 refuse these names
  BELAY_SAME("f16c");
  BELAY_SAME("x86-64-v2");
  BELAY_SAME("x86-64-v3");
  BELAY_SAME("x86-64-v4");
#endif
#undef BELAY_SAME
}
#endif

}  // namespace
}  // namespace belay::hardware
