#include "core/hardware/cpu_features.hpp"

#include "core/hardware/cpu_x86.hpp"
#include "tests/core/hardware/fake_source.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <random>
#include <set>

namespace belay::hardware {
namespace {

Cpu probe_cpu(const FakeSource& source) {
  Cpu cpu;
  probe_cpu_x86(source, cpu);
  return cpu;
}

bool has(const Cpu& cpu, std::string_view name) {
  return cpu.isa && std::find(cpu.isa->begin(), cpu.isa->end(), name) != cpu.isa->end();
}

std::uint32_t& select(CpuidRegisters& registers, CpuidRegister which) {
  switch (which) {
    case CpuidRegister::kEax:
      return registers.eax;
    case CpuidRegister::kEbx:
      return registers.ebx;
    case CpuidRegister::kEcx:
      return registers.ecx;
    default:
      return registers.edx;
  }
}

bool bit_is_set(FakeSource& source, const CpuFeature& feature) {
  return (select(source.leaves[{feature.leaf, feature.subleaf}], feature.where) >> feature.bit & 1U) != 0;
}

// Written apart from the code under test.
bool state_is_saved(const FakeSource& source, OsState state) {
  const std::uint64_t needed = state == OsState::kAvx      ? 0b110
                               : state == OsState::kAvx512 ? 0b11100110
                               : state == OsState::kAmx    ? 0b1100000000000000000
                                                           : 0;
  const bool osxsave = (source.leaves.at({1, 0}).ecx & 0x08000000U) != 0;
  return needed == 0 || (osxsave && (source.state.value() & needed) == needed);
}

Profile profile_with(const std::vector<std::string>& isa) {
  Profile profile;
  profile.cpu.isa = expand_isa(isa);
  return profile;
}

TEST_CASE("random CPUID bits never report a feature without its bit, its state or its foundations") {
  std::mt19937 random(20240611);
  for (int round = 0; round < 3000; ++round) {
    FakeSource source;
    for (const auto& leaf : {std::pair{1U, 0U}, {7U, 0U}, {7U, 1U}, {0x80000001U, 0U}}) {
      // Half of the rounds have most bits set, so that long chains of foundations occur.
      const auto word = [&] {
        const auto few = random();
        const auto most = few | random() | random() | random() | random();
        return static_cast<std::uint32_t>(round % 2 == 0 ? few : most);
      };
      source.leaves[leaf] = {word(), word(), word(), word()};
    }
    if (round % 3 != 0) source.leaves[{1, 0}].ecx |= 0x08000000U;
    source.state = random() & 0x600E7U;
    const Cpu cpu = probe_cpu(source);
    REQUIRE(cpu.isa.has_value());
    for (const CpuFeature& feature : cpu_feature_table()) {
      bool expected = bit_is_set(source, feature) && state_is_saved(source, feature.state);
      if (feature.subleaf > 0) expected = expected && source.leaves[{feature.leaf, 0}].eax >= feature.subleaf;
      for (const auto below : feature.builds_on) expected = expected && (below.empty() || has(cpu, below));
      REQUIRE_MESSAGE(has(cpu, feature.name) == expected, feature.name);
    }
    REQUIRE((!has(cpu, "x86-64-v4") || has(cpu, "x86-64-v3")));
    REQUIRE((!has(cpu, "x86-64-v3") || (has(cpu, "avx2") && has(cpu, "movbe") && has(cpu, "x86-64-v2"))));
  }
}

TEST_CASE("XGETBV is not executed without OSXSAVE") {
  FakeSource nehalem("nehalem");
  CHECK(has(probe_cpu(nehalem), "x86-64-v2"));
  CHECK(nehalem.xcr0_questions == 0);
  FakeSource laptop("i5_10210u");
  CHECK(has(probe_cpu(laptop), "x86-64-v3"));
  CHECK(laptop.xcr0_questions == 1);
}

TEST_CASE("a CPU that does not answer is unknown") {
  const Cpu cpu = probe_cpu(FakeSource());
  CHECK_FALSE(cpu.isa);
  CHECK_FALSE(cpu.vendor);
  CHECK_FALSE(cpu.model);
}

TEST_CASE("what a feature builds on stands above it in the table, and names are unique") {
  std::set<std::string_view> above{""};
  for (const CpuFeature& feature : cpu_feature_table()) {
    for (const auto below : feature.builds_on) CHECK_MESSAGE(above.contains(below), feature.name);
    CHECK_MESSAGE(above.insert(feature.name).second, feature.name);
  }
  CHECK(std::is_sorted(known_cpu_features().begin(), known_cpu_features().end()));
}

TEST_CASE("masking takes away what builds on it") {
  Profile profile = profile_with({"x86-64-v4", "avx512vnni", "aes", "avxvnni"});
  REQUIRE(has_cpu_feature(profile, "avx512vnni"));
  REQUIRE(mask_features(profile, {"avx"}).ok());
  for (const char* gone :
       {"avx", "avx2", "fma", "f16c", "avx512f", "avx512vl", "avx512vnni", "avxvnni", "x86-64-v3"}) {
    CHECK_FALSE_MESSAGE(has_cpu_feature(profile, gone), gone);
  }
  for (const char* stays : {"sse4.2", "popcnt", "bmi2", "aes", "x86-64-v2", "x86-64"}) {
    CHECK_MESSAGE(has_cpu_feature(profile, stays), stays);
  }
}

TEST_CASE("masking a level takes what it adds") {
  Profile profile = profile_with({"x86-64-v4"});
  REQUIRE(mask_features(profile, {"x86-64-v3"}).ok());
  CHECK(has_cpu_feature(profile, "x86-64-v2"));
  CHECK_FALSE(has_cpu_feature(profile, "movbe"));
  CHECK_FALSE(has_cpu_feature(profile, "avx512f"));
}

TEST_CASE("an unknown name in a mask is an error that helps and changes nothing") {
  Profile profile = profile_with({"x86-64-v3"});
  const auto before = profile.cpu.isa;
  const Status status = mask_features(profile, {"avx", "avx22"});
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::kUsage);
  CHECK(status.error().message == "unknown CPU feature 'avx22'; did you mean 'avx2'?");
  CHECK(profile.cpu.isa == before);
}

TEST_CASE("masks are read from an option") {
  CHECK(*parse_feature_mask("-avx2,-fma -sse4.1") == std::vector<std::string>{"avx2", "fma", "sse4.1"});
  CHECK(parse_feature_mask("")->empty());
  CHECK(parse_feature_mask("avx2").error().message.find("'-avx2'") != std::string::npos);
  CHECK(parse_feature_mask("-").error().code == ErrorCode::kUsage);
  CHECK(parse_feature_mask("-sse4_1").error().message.find("sse4.1") != std::string::npos);
}

TEST_CASE("unknown features stay unknown when masked") {
  Profile profile;
  CHECK(mask_features(profile, {"avx2"}).ok());
  CHECK_FALSE(profile.cpu.isa);
}

TEST_CASE("a written list brings what it builds on") {
  const auto isa = expand_isa({"avx2", "fma"});
  CHECK(isa ==
        std::vector<std::string>{"avx", "avx2", "fma", "sse", "sse2", "sse3", "sse4.1", "sse4.2", "ssse3"});
  CHECK(expand_isa(isa) == isa);
}

}  // namespace
}  // namespace belay::hardware
