#include "core/hardware/gpu.hpp"

#include "core/hardware/probe.hpp"
#include "core/hardware/profile_toml.hpp"
#include "core/hardware/source_linux.hpp"
#include "tests/core/hardware/fake_source.hpp"
#include "tests/support/doctest.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace belay::hardware {
namespace {

Profile ask(const FakeSource& source, bool ask_without_driver = false) {
  Profile profile;
  probe_gpus(source, ask_without_driver, profile);
  return profile;
}

// What the kernel would tell of a device in a slot with four lanes.
std::filesystem::path pci_devices() {
  std::filesystem::path all = std::filesystem::temp_directory_path() / "belay_gpu_test_pci";
  std::filesystem::create_directories(all / "0000:0a:00.0");
  std::ofstream(all / "0000:0a:00.0" / "current_link_speed") << "8.0 GT/s PCIe\n";
  std::ofstream(all / "0000:0a:00.0" / "current_link_width") << "4\n";
  return all;
}

Profile describe(const std::string& library, const char* mood = "") {
  ::setenv("BELAY_FAKE_DRIVER_MOOD", mood, 1);
  auto profile = read_profile(describe_gpus(library, pci_devices()), "answer");
  ::unsetenv("BELAY_FAKE_DRIVER_MOOD");
  REQUIRE_MESSAGE(profile.ok(), profile.error().message);
  return *profile;
}

TEST_CASE("no sign of a driver: no child is started") {
  const FakeSource source;
  const Profile profile = ask(source);
  CHECK(profile.gpu_reason == "NO_DRIVER");
  CHECK_FALSE(profile.gpu_detail.empty());
  CHECK(source.gpu_questions == 0);
  CHECK(ask(source, true).gpu_detail == "no answer was recorded");
  CHECK(source.gpu_questions == 1);
}

TEST_CASE("a child that crashes leaves the GPUs unknown, with the reason in words") {
  const FakeSource source("xeon_without_amx_state");
  const Profile profile = ask(source);
  CHECK(profile.gpus.empty());
  CHECK(profile.gpu_reason.empty());
  CHECK(profile.gpu_detail.find("signal 11") != std::string::npos);
}

TEST_CASE("an answer that is no profile leaves the GPUs unknown") {
  FakeSource source("i5_10210u");
  source.gpu_answer = "Segmentation fault, says the driver";
  const Profile profile = ask(source);
  CHECK(profile.gpus.empty());
  CHECK(profile.gpu_detail.starts_with("answer of the GPU probe:1:"));
}

TEST_CASE("a driver is asked for everything") {
  const Profile profile = describe(BELAY_FAKE_DRIVER);
  CHECK(profile.gpu_reason.empty());
  REQUIRE(profile.gpus.size() == 2);
  const Gpu& pascal = profile.gpus[0];
  CHECK(pascal.name == "Fake GTX 1050");
  CHECK(pascal.vendor == "nvidia");
  CHECK(pascal.compute_capability == "6.1");
  CHECK(pascal.sm_count == 5U);
  CHECK(pascal.memory_bytes == std::uint64_t{2} << 30U);
  CHECK(pascal.memory_free_bytes == std::uint64_t{1} << 30U);
  // 1 MiB is read and written in 20 microseconds.
  CHECK(static_cast<double>(pascal.bandwidth_bytes_per_s.value_or(0)) ==
        doctest::Approx(2.0 * (1 << 20U) / 20e-6));
  CHECK(pascal.sm_clock_max_mhz == 1493U);
  CHECK(pascal.memory_clock_max_mhz == 3504U);
  CHECK(pascal.pcie_link == "8.0 GT/s PCIe x4");
  CHECK(pascal.tensor_cores == false);
  // The second is a Turing without tensor cores, whose driver tells no clock and gives no context.
  const Gpu& turing = profile.gpus[1];
  CHECK(turing.compute_capability == "7.5");
  CHECK(turing.tensor_cores == false);
  CHECK_FALSE(turing.bandwidth_bytes_per_s);
  CHECK_FALSE(turing.memory_free_bytes);
}

TEST_CASE("where no copy can be timed, bandwidth is what clock and bus give") {
  const Profile profile = describe(BELAY_FAKE_DRIVER, "timeless");
  REQUIRE(profile.gpus.size() == 2);
  CHECK(profile.gpus[0].bandwidth_bytes_per_s == 112128000000U);  // 3504 MHz, two transfers, 128 bits
}

TEST_CASE("what a driver can say instead") {
  CHECK(describe(BELAY_FAKE_DRIVER, "init 100").gpu_reason == "NO_DEVICE");
  CHECK(describe(BELAY_FAKE_DRIVER, "init 803").gpu_reason == "DRIVER_TOO_OLD");
  const Profile broken = describe(BELAY_FAKE_DRIVER, "init 999");
  CHECK(broken.gpu_reason.empty());
  CHECK(broken.gpu_detail.find("999") != std::string::npos);
  CHECK(describe(BELAY_OLD_DRIVER).gpu_reason == "DRIVER_TOO_OLD");
  CHECK(describe("/nonexistent/libcuda.so.1").gpu_reason == "NO_DRIVER");
}

TEST_CASE("the real source tells how a child ended") {
  const auto answer = [](std::vector<std::string> words) {
    GpuChild child;
    child.launcher.program = "/bin/sh";
    child.arguments = std::move(words);
    child.timeout = std::chrono::milliseconds(500);
    return RealSource(child).ask_gpus();
  };
  CHECK(*answer({"-c", "echo gpus = []"}) == "gpus = []\n");
  CHECK(answer({"-c", "echo no >&2; exit 3"}).error().message.find("status 3: no") != std::string::npos);
  CHECK(answer({"-c", "kill -11 $$"}).error().message.find("signal 11") != std::string::npos);
  CHECK(answer({"-c", "sleep 5"}).error().message.find("did not answer") != std::string::npos);
  CHECK_FALSE(RealSource().ask_gpus().ok());
}

}  // namespace
}  // namespace belay::hardware
