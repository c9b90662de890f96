// Every recorded machine probes to the profile that stands beside the recording.
#include "core/base/mapped_file.hpp"
#include "core/hardware/probe.hpp"
#include "core/hardware/profile_toml.hpp"
#include "tests/core/hardware/fake_source.hpp"
#include "tests/support/doctest.hpp"

#include <array>

namespace belay::hardware {
namespace {

constexpr std::array kMachines = {"avx2_without_ymm_state",
                                  "cgroup_v1_quota",
                                  "cgroup_v2_nested",
                                  "i5_10210u",
                                  "i5_1240p",
                                  "nehalem",
                                  "qemu64",
                                  "unreadable",
                                  "xeon_without_amx_state"};

Profile probe_machine(const FakeSource& source) {
  ProbeOptions options;
  options.storage_folders = source.folder_names();
  Profile profile = probe(source, options);
  profile.cpu.arch = "x86_64";  // of the recording, whatever the test was built for
  return profile;
}

std::vector<std::uint32_t> placement(const Profile& profile) {
  std::vector<std::uint32_t> out;
  for (const LogicalCpu& cpu : profile.cpu.allowed) out.push_back(cpu.os_index);
  return out;
}

TEST_CASE("a recorded machine gives its recorded profile") {
  for (const char* machine : kMachines) {
    CAPTURE(machine);
    const FakeSource source(machine);
    const auto expected = read_file(std::string(BELAY_MACHINES) + "/" + machine + "/profile.toml", 1U << 20U);
    REQUIRE(expected.ok());
    const std::string actual = write_profile(probe_machine(source));
    CHECK(actual == expected.value());
    const auto again = read_profile(actual, machine);
    REQUIRE_MESSAGE(again.ok(), again.error().message);
    CHECK(write_profile(again.value()) == actual);
  }
}

TEST_CASE("threads are placed on physical cores first, fast ones before slow ones") {
  CHECK(placement(probe_machine(FakeSource("i5_10210u"))) ==
        std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(placement(probe_machine(FakeSource("i5_1240p"))) ==
        std::vector<std::uint32_t>{0, 2, 4, 6, 8, 9, 10, 11, 12, 13, 14, 15, 1, 3, 5, 7});
  // CPU 0 is not allowed: its core's other hyper-thread, 4, is the core's first for us.
  CHECK(placement(probe_machine(FakeSource("cgroup_v2_nested"))) ==
        std::vector<std::uint32_t>{4, 1, 2, 7, 5, 6});
}

TEST_CASE("a topology that lacks CPUs on which we run is not believed") {
  FakeSource source("i5_10210u");
  source.cpus = {{0, 64}};
  const Profile profile = probe_machine(source);
  CHECK_FALSE(profile.cpu.physical_cores);
  CHECK_FALSE(profile.cpu.l2_bytes);
  CHECK(profile.cpu.usable_cpus == 2U);
  CHECK(placement(profile) == std::vector<std::uint32_t>{0, 64});
}

TEST_CASE("broken XML is an unknown topology") {
  CHECK_FALSE(read_topology_xml(""));
  CHECK_FALSE(read_topology_xml("<topology version=\"2.0\"><object type=\"Machine\""));
}

}  // namespace
}  // namespace belay::hardware
