#include "core/hardware/cgroup.hpp"

#include "core/hardware/probe.hpp"
#include "tests/core/hardware/fake_source.hpp"
#include "tests/support/doctest.hpp"

namespace belay::hardware {
namespace {

FakeSource v2(std::string cpu_max, std::string memory_max = "max") {
  FakeSource source;
  source.files["/proc/self/cgroup"] = "0::/box\n";
  source.files["/proc/self/mountinfo"] = "30 22 0:26 / /cg rw - cgroup2 cgroup2 rw\n";
  source.files["/cg/box/cpu.max"] = std::move(cpu_max);
  source.files["/cg/box/memory.max"] = std::move(memory_max);
  return source;
}

FakeSource v1(std::string quota, std::string period, std::string memory) {
  FakeSource source;
  source.files["/proc/self/cgroup"] = "3:cpu,cpuacct:/a/b\n2:memory:/a/b\n";
  source.files["/proc/self/mountinfo"] =
      "32 31 0:29 / /cg/cpu rw - cgroup cgroup rw,cpuacct,cpu\n33 31 0:30 / /cg/mem rw - cgroup cgroup "
      "rw,memory\n";
  source.files["/cg/cpu/a/cpu.cfs_quota_us"] = std::move(quota);
  source.files["/cg/cpu/a/cpu.cfs_period_us"] = std::move(period);
  source.files["/cg/mem/a/b/memory.limit_in_bytes"] = std::move(memory);
  return source;
}

std::optional<std::uint32_t> v2_cpus(const std::string& cpu_max) {
  return read_cgroup_limits(v2(cpu_max)).cpus;
}

TEST_CASE("a quota is rounded up to whole CPUs") {
  CHECK(v2_cpus("50000 100000\n") == 1U);
  CHECK(v2_cpus("100000 100000\n") == 1U);
  CHECK(v2_cpus("100001 100000\n") == 2U);
  CHECK(v2_cpus("18446744073709551615 1\n") == 0xFFFFFFFFU);
  CHECK(v2_cpus("1 18446744073709551615\n") == 1U);
}

TEST_CASE("no limit and broken limits limit nothing") {
  for (const char* text : {"max 100000\n", "", "100000", "0 100000", "100000 0", "-1 100000", "1e5 100000",
                           "99999999999999999999 100000", "100000 100000 7", "\xff\xfe \x01"}) {
    CAPTURE(text);
    CHECK_FALSE(v2_cpus(text));
  }
  for (const char* text : {"max", "", "-1", "12x", "99999999999999999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(read_cgroup_limits(v2("max 100000", text)).memory_bytes);
  }
}

TEST_CASE("version 1: quota of a parent, memory of the group, and its way to say no limit") {
  const auto limits = read_cgroup_limits(v1("250000\n", "100000\n", "1073741824\n"));
  CHECK(limits.cpus == 3U);
  CHECK(limits.memory_bytes == 1073741824U);
  const auto none = read_cgroup_limits(v1("-1\n", "100000\n", "9223372036854771712\n"));
  CHECK_FALSE(none.cpus);
  CHECK_FALSE(none.memory_bytes);
}

TEST_CASE("a group outside of the mount is looked for at the mount") {
  FakeSource source = v2("max 100000");
  source.files["/proc/self/cgroup"] = "0::/../../other\n";
  source.files["/cg/cpu.max"] = "200000 100000";
  CHECK(read_cgroup_limits(source).cpus == 2U);
}

TEST_CASE("lines that make no sense are passed over") {
  FakeSource source = v2("300000 100000");
  source.files["/proc/self/cgroup"] = "\n:\nx\n7:cpu\n0::\n0::relative\n0::/box\n";
  source.files["/proc/self/mountinfo"] =
      "short line\n1 2 3 4 5 6 7 8\n1 2 0:1 / /x rw -\n30 22 0:26 / /cg rw - cgroup2 cgroup2 rw\n";
  CHECK(read_cgroup_limits(source).cpus == 3U);
}

TEST_CASE("usable CPUs are the smaller of affinity and quota, at least one") {
  FakeSource source = v2("300000 100000");
  source.cpus = {{0, 1}};
  CHECK(probe(source).cpu.usable_cpus == 2U);
  source.cpus = {{0, 1, 2, 3, 4}};
  CHECK(probe(source).cpu.usable_cpus == 3U);
  source.cpus.reset();
  CHECK_FALSE(probe(source).cpu.usable_cpus);
}

TEST_CASE("memory that does not parse is unknown") {
  FakeSource source;
  source.files["/proc/meminfo"] = "MemTotal: 18446744073709551615 kB\nMemAvailable: many kB\n";
  const Profile profile = probe(source);
  CHECK_FALSE(profile.memory.total_bytes);
  CHECK_FALSE(profile.memory.available_bytes);
}

}  // namespace
}  // namespace belay::hardware
