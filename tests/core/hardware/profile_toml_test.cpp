#include "core/hardware/profile_toml.hpp"

#include "core/hardware/native_cpu.hpp"
#include "tests/support/doctest.hpp"

#include <random>

namespace belay::hardware {
namespace {

std::string error_of(std::string_view text) {
  const auto profile = read_profile(text, "box.toml");
  REQUIRE_FALSE(profile.ok());
  CHECK(profile.error().code == ErrorCode::kUsage);
  return profile.error().message;
}

TEST_CASE("an empty file is a machine of which nothing is known but what this build is for") {
  const auto profile = read_profile("", "box.toml");
  REQUIRE(profile.ok());
  CHECK(profile->os == "linux");
  CHECK(profile->cpu.arch == build_arch());
  CHECK_FALSE(profile->cpu.isa);
  CHECK_FALSE(profile->memory.total_bytes);
  CHECK(profile->gpu_reason.empty());
}

TEST_CASE("the fields of the probe are read") {
  const auto profile = read_profile(R"(
[cpu]
arch = "x86_64"
vendor = "GenuineIntel"
physical_cores = 4
usable_cpus = 4
l3_bytes = 6291456
isa = ["x86-64-v3"]
[memory]
total_bytes = 8589934592
available_bytes = 0
[[gpus]]
name = "GeForce GTX 1080"
compute_capability = "6.1"
memory_bytes = 8589934592
tensor_cores = false
[[storage]]
path = "/models"
kind = "nvme"
free_bytes = 1
)",
                                    "box.toml");
  REQUIRE_MESSAGE(profile.ok(), profile.error().message);
  CHECK(profile->cpu.physical_cores == 4U);
  CHECK(profile->cpu.isa->back() == "x86-64-v3");
  CHECK(profile->memory.available_bytes == 0U);
  REQUIRE(profile->gpus.size() == 1);
  CHECK(profile->gpus[0].vendor == "nvidia");
  CHECK_FALSE(profile->gpus[0].sm_count);
  CHECK(profile->storage.at(0).kind == "nvme");
}

TEST_CASE("no GPUs is something else than no word about GPUs") {
  CHECK(read_profile("gpus = []", "box.toml")->gpu_reason == "NO_DEVICE");
  CHECK(read_profile("gpus = []\ngpu_reason = \"NO_DRIVER\"", "box.toml")->gpu_reason == "NO_DRIVER");
  CHECK(read_profile("[cpu]", "box.toml")->gpu_reason.empty());
}

TEST_CASE("errors say where, which key, and what is allowed") {
  CHECK(
      error_of("[cpu]\nphysical_cores = -4") ==
      "box.toml:2:18: cpu.physical_cores: -4 is out of range, it must be at least 1 and at most 4294967295");
  CHECK(error_of("[cpu]\nphysical_cores = 0").find("at least 1") != std::string::npos);
  CHECK(error_of("[cpu]\nlogical_cpus = 4294967296").find("out of range") != std::string::npos);
  CHECK(error_of("[memory]\ntotal_bytes = \"8 GiB\"") ==
        "box.toml:2:15: memory.total_bytes: expected integer, found string");
  CHECK(error_of("[memory]\ntotal_bytes = 1.5").find("expected integer") != std::string::npos);
  CHECK(error_of("[[gpus]]\nname = \"a\"\n[[gpus]]\ncompute_capability = 6.1") ==
        "box.toml:4:22: gpus[1].compute_capability: expected string, found float; quote it: \"6.1\"");
  CHECK(error_of("[[gpus]]\ncompute_capability = \"sm_61\"").find("not of the form") != std::string::npos);
  CHECK(error_of("[[gpus]]\ncompute_capability = \"6.\"").find("not of the form") != std::string::npos);
  CHECK(error_of("[[gpus]]\ntensor_cores = 1").find("expected boolean") != std::string::npos);
  CHECK(error_of("[[storage]]\nkind = \"nvm\"").find("did you mean 'nvme'?") != std::string::npos);
  CHECK(error_of("cpu = 4").find("cpu: expected table, found integer") != std::string::npos);
  CHECK(error_of("gpus = [1]").find("gpus[0]: expected table") != std::string::npos);
  CHECK(error_of("storage = {}").find("storage: expected array") != std::string::npos);
}

TEST_CASE("unknown keys and features get a hint") {
  CHECK(error_of("[cpu]\nphysical_core = 4") ==
        "box.toml:2:1: cpu.physical_core: unknown key; did you mean 'physical_cores'?");
  CHECK(error_of("[cpus]").find("did you mean 'cpu'?") != std::string::npos);
  CHECK(error_of("frobnicate = 1").find("known: ") != std::string::npos);
  CHECK(error_of("[cpu]\nisa = [\"avx-2\"]").find("did you mean 'avx2'?") != std::string::npos);
  CHECK(error_of("[cpu]\nisa = [2]").find("expected string, found integer") != std::string::npos);
}

TEST_CASE("text that is not TOML") {
  CHECK(error_of("[cpu\n").starts_with("box.toml:1:"));
  CHECK(error_of("[cpu]\nvendor = \"\xff\"").starts_with("box.toml:2:"));
}

TEST_CASE("names on another architecture are taken as they are") {
  const auto profile = read_profile("[cpu]\narch = \"aarch64\"\nisa = [\"neon\", \"dotprod\"]", "box.toml");
  REQUIRE(profile.ok());
  CHECK(*profile->cpu.isa == std::vector<std::string>{"dotprod", "neon"});
}

TEST_CASE("texts with anything in them come back") {
  Profile profile;
  profile.cpu.arch = "x86_64";
  profile.cpu.model = "a \"quoted\" \\ name\t\n\x7f with é";
  profile.gpu_detail = "line\r\nline";
  profile.storage.push_back({"/models/[x] = #", "ssd", 512, 0, {}});
  profile.memory.total_bytes = ~std::uint64_t{0};  // more than TOML can say
  const auto again = read_profile(write_profile(profile), "box.toml");
  REQUIRE_MESSAGE(again.ok(), again.error().message);
  CHECK(again->cpu.model == profile.cpu.model);
  CHECK(again->gpu_detail == profile.gpu_detail);
  CHECK(again->storage.at(0).path == profile.storage[0].path);
  CHECK(again->storage.at(0).free_bytes == 0U);
  CHECK(again->memory.total_bytes == ~std::uint64_t{0} >> 1U);
  profile.storage[0].path = "/bad\xff";
  CHECK(read_profile(write_profile(profile), "box.toml").ok());
}

TEST_CASE("a machine with a thousand CPUs comes back") {
  Profile profile;
  for (std::uint32_t i = 0; i < 1024; ++i) profile.cpu.allowed.push_back({i, i / 2, i % 2, i > 900});
  const std::string text = write_profile(profile);
  const auto again = read_profile(text, "box.toml");
  REQUIRE_MESSAGE(again.ok(), again.error().message);
  CHECK(again->cpu.allowed.size() == 1024);
  profile.cpu.arch = again->cpu.arch;
  CHECK(write_profile(*again) == write_profile(profile));
}

TEST_CASE("damaged files give an error or a profile, never a crash") {
  const std::string good =
      "os = \"linux\"\n[cpu]\nisa = [\"avx2\"]\nphysical_cores = 4\n[[gpus]]\ncompute_capability = \"6.1\"\n";
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string text = good;
    for (int hit = 0; hit < 1 + round % 4; ++hit) text[random() % text.size()] = static_cast<char>(random());
    const auto profile = read_profile(text, "box.toml");
    CHECK((profile.ok() || profile.error().code == ErrorCode::kUsage));
  }
}

}  // namespace
}  // namespace belay::hardware
