#include "core/manifest/requirement.hpp"

#include "tests/support/doctest.hpp"

#include <belay/abi.h>

#include <string>

using namespace belay::manifest;  // NOLINT(google-build-using-namespace)
namespace reason = belay::reason;
using belay::hardware::Gpu;
using belay::hardware::Profile;

namespace {

constexpr std::uint64_t kMib = std::uint64_t{1} << 20U;

Manifest plain() {
  Manifest manifest;
  manifest.id = "x";
  manifest.abi_major = BELAY_ABI_MAJOR;
  return manifest;
}

// The target laptop with a GTX 1050.
Profile laptop() {
  Profile profile;
  profile.cpu.arch = "x86_64";
  profile.cpu.isa = {"avx", "avx2", "fma", "sse4.1", "x86-64-v3"};
  profile.memory.total_bytes = 8192 * kMib;
  Gpu gpu;
  gpu.name = "GTX 1050";
  gpu.vendor = "nvidia";
  gpu.compute_capability = "6.1";
  gpu.driver = "535.183.01";
  gpu.memory_bytes = 2048 * kMib;
  profile.gpus.push_back(gpu);
  profile.storage.push_back({"/", "nvme", {}, {}, 1500 * kMib});
  return profile;
}

Manifest with_gpu(GpuRequirement gpu) {
  Manifest manifest = plain();
  manifest.requires_.gpu = std::move(gpu);
  return manifest;
}

// The reason and detail of the only refusal; "" when it fits.
std::string only(const Manifest& manifest, const Profile& profile) {
  const auto refusals = unmet(manifest, profile);
  REQUIRE(refusals.size() <= 1);
  if (refusals.empty()) return "";
  CHECK(refusals[0].id == "x");
  CHECK(refusals[0].stage == belay::Stage::kFit);
  CHECK(!refusals[0].detail.empty());
  return refusals[0].reason;
}

std::string detail(const Manifest& manifest, const Profile& profile) {
  return unmet(manifest, profile).at(0).detail;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a manifest without requirements fits a machine of which nothing is known") {
  CHECK(only(plain(), Profile{}).empty());
}

TEST_CASE("abi: major and lowest minor") {
  Manifest manifest = plain();
  manifest.abi_major = BELAY_ABI_MAJOR + 1;
  CHECK(only(manifest, laptop()) == reason::kAbi);
  manifest = plain();
  manifest.abi_min_minor = BELAY_ABI_MINOR + 1;
  manifest.abi_built_minor = 9;
  CHECK(only(manifest, laptop()) == reason::kAbi);
  CHECK(contains(detail(manifest, laptop()), "1.1"));
  CHECK(contains(detail(manifest, laptop()), "1.9"));
  manifest.abi_min_minor = 0;
  CHECK(only(manifest, laptop()).empty());
}

TEST_CASE("system and architecture") {
  Manifest manifest = plain();
  manifest.requires_.os = {"macos", "linux"};
  CHECK(only(manifest, laptop()).empty());
  manifest.requires_.os = {"macos"};
  CHECK(only(manifest, laptop()) == reason::kOs);
  manifest = plain();
  manifest.requires_.cpu_arch = {"aarch64"};
  manifest.requires_.cpu_features = {"neon"};  // a name of the other architecture is not judged here
  CHECK(only(manifest, laptop()) == reason::kArch);
  Profile unknown = laptop();
  unknown.cpu.arch = "";
  CHECK(only(manifest, unknown) == reason::kUnknownFact);
}

TEST_CASE("cpu features: all, known, and named when missing") {
  Manifest manifest = plain();
  manifest.requires_.cpu_features = {"avx2", "fma"};
  CHECK(only(manifest, laptop()).empty());
  manifest.requires_.cpu_features = {"x86-64-v3"};
  CHECK(only(manifest, laptop()).empty());
  manifest.requires_.cpu_features = {"avx2", "avx512f", "avx512vnni"};
  CHECK(only(manifest, laptop()) == reason::kCpuFeature);
  CHECK(detail(manifest, laptop()) == "this CPU lacks avx512f, avx512vnni");
  manifest.requires_.cpu_features = {"avx3", "avx512f"};
  CHECK(only(manifest, laptop()) == reason::kUnknownFeature);
  CHECK(contains(detail(manifest, laptop()), "avx3"));
  CHECK(contains(detail(manifest, laptop()), "did you mean \"avx"));
  Profile unknown = laptop();
  unknown.cpu.isa.reset();
  manifest.requires_.cpu_features = {"avx2"};
  CHECK(only(manifest, unknown) == reason::kUnknownFact);
}

TEST_CASE("gpu: absent, for the reason that the profile gives") {
  const Manifest manifest = with_gpu({});
  CHECK(only(manifest, laptop()).empty());
  Profile none = laptop();
  none.gpus.clear();
  CHECK(only(manifest, none) == reason::kUnknownFact);
  for (const std::string_view why : {reason::kNoDriver, reason::kNoDevice, reason::kDriverTooOld}) {
    none.gpu_reason = why;
    none.gpu_detail = "libcuda.so.1 is missing";
    CHECK(only(manifest, none) == why);
    CHECK(detail(manifest, none) == "libcuda.so.1 is missing");
  }
  GpuRequirement nobody;
  nobody.count = 0;
  CHECK(only(with_gpu(nobody), none).empty());
}

TEST_CASE("gpu: every property has its own reason, with what was found") {
  const auto judged = [](auto change) {
    GpuRequirement needed;
    change(needed);
    return only(with_gpu(needed), laptop());
  };
  CHECK(judged([](auto& n) { n.vendor = "nvidia"; }).empty());
  CHECK(judged([](auto& n) { n.vendor = "amd"; }) == reason::kNoDevice);
  CHECK(judged([](auto& n) { n.compute_capability = *parse_range(">=6.1, <7"); }).empty());
  CHECK(judged([](auto& n) { n.compute_capability = *parse_range(">=6.10"); }) == reason::kComputeCapability);
  CHECK(judged([](auto& n) { n.driver = *parse_range(">=535"); }).empty());
  CHECK(judged([](auto& n) { n.driver = *parse_range(">=550"); }) == reason::kDriverTooOld);
  CHECK(judged([](auto& n) { n.memory_mib = 2048; }).empty());
  CHECK(judged([](auto& n) { n.memory_mib = 2049; }) == reason::kDeviceMemory);
  CHECK(judged([](auto& n) { n.memory_mib = std::uint64_t{1} << 40U; }) == reason::kDeviceMemory);
  CHECK(judged([](auto& n) { n.count = 2; }) == reason::kNoDevice);

  GpuRequirement needed;
  needed.compute_capability = *parse_range(">=8");
  const std::string text = detail(with_gpu(needed), laptop());
  CHECK(contains(text, ">=8"));
  CHECK(contains(text, "6.1"));
  CHECK(contains(text, "GTX 1050"));
}

TEST_CASE("gpu: embedded PTX makes newer devices eligible, not older ones") {
  GpuRequirement needed;
  needed.compute_capability = *parse_range("=5.0");
  CHECK(only(with_gpu(needed), laptop()) == reason::kComputeCapability);
  needed.ptx = parse_version("6.0");
  CHECK(only(with_gpu(needed), laptop()).empty());
  needed.ptx = parse_version("6.2");
  CHECK(only(with_gpu(needed), laptop()) == reason::kComputeCapability);
}

TEST_CASE("gpu: one device has to have everything, and what is unknown does not count") {
  GpuRequirement needed;
  needed.compute_capability = *parse_range(">=7");
  needed.memory_mib = 4096;
  Profile two = laptop();
  two.gpus.push_back(two.gpus[0]);
  two.gpus[0].compute_capability = "8.6";
  two.gpus[1].memory_bytes = 8192 * kMib;
  CHECK(only(with_gpu(needed), two) == reason::kDeviceMemory);
  two.gpus[0].memory_bytes = 4096 * kMib;
  CHECK(only(with_gpu(needed), two).empty());
  two.gpus[0].memory_bytes.reset();
  CHECK(only(with_gpu(needed), two) == reason::kUnknownFact);
  two.gpus[0].compute_capability.reset();
  CHECK(only(with_gpu(needed), two) == reason::kUnknownFact);

  Profile unnamed = laptop();
  unnamed.gpus[0].vendor.reset();
  GpuRequirement vendor;
  vendor.vendor = "nvidia";
  CHECK(only(with_gpu(vendor), unnamed).empty());  // it has a compute capability
  unnamed.gpus[0].compute_capability.reset();
  CHECK(only(with_gpu(vendor), unnamed) == reason::kUnknownFact);
}

TEST_CASE("host memory: the total, or what the cgroup allows") {
  Manifest manifest = plain();
  manifest.requires_.host_mib = 8192;
  CHECK(only(manifest, laptop()).empty());
  Profile limited = laptop();
  limited.memory.limit_bytes = 1024 * kMib;
  CHECK(only(manifest, limited) == reason::kHostMemory);
  CHECK(contains(detail(manifest, limited), "1024 MiB"));
  Profile unknown = laptop();
  unknown.memory.total_bytes.reset();
  CHECK(only(manifest, unknown) == reason::kUnknownFact);

  Optimization optimization;
  optimization.id = "big";
  optimization.requires_host_mib = 9000;
  const auto refusals = unmet(plain(), optimization, laptop());
  REQUIRE(refusals.size() == 1);
  CHECK(refusals[0].id == "x/big");
  CHECK(refusals[0].reason == reason::kHostMemory);
  optimization.requires_host_mib = 0;
  CHECK(unmet(plain(), optimization, laptop()).empty());
}

TEST_CASE("storage: both properties on one drive") {
  Manifest manifest = plain();
  manifest.requires_.storage = StorageRequirement{true, 1500};
  CHECK(only(manifest, laptop()).empty());
  manifest.requires_.storage->min_read_mib_s = 1501;
  CHECK(only(manifest, laptop()) == reason::kStorage);
  manifest.requires_.storage->min_read_mib_s = 0;
  Profile other = laptop();
  other.storage[0].kind = "hdd";
  CHECK(only(manifest, other) == reason::kStorage);
  other.storage[0].kind.reset();
  CHECK(only(manifest, other) == reason::kUnknownFact);
  other.storage.push_back({"/data", "nvme", {}, {}, {}});
  CHECK(only(manifest, other).empty());
  manifest.requires_.storage->min_read_mib_s = 1;
  CHECK(only(manifest, other) == reason::kUnknownFact);
  other.storage.clear();
  CHECK(only(manifest, other) == reason::kUnknownFact);
}

TEST_CASE("everything that is missing is reported, the most basic first") {
  Manifest manifest = plain();
  manifest.requires_.os = {"windows"};
  manifest.requires_.cpu_features = {"avx512f"};
  manifest.requires_.host_mib = 99999;
  const auto refusals = unmet(manifest, laptop());
  REQUIRE(refusals.size() == 3);
  CHECK(refusals[0].reason == reason::kOs);
  CHECK(refusals[1].reason == reason::kCpuFeature);
  CHECK(refusals[2].reason == reason::kHostMemory);
}
