// A machine without a driver: the plugin is refused before it is loaded, and opened all the same it says why.
#include "core/hardware/probe.hpp"
#include "core/hardware/source_linux.hpp"
#include "core/registry/registry.hpp"
#include "tests/kernels/test_host.hpp"
#include "tests/support/doctest.hpp"

#include <belay/plugin.h>

#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <utility>

using namespace belay;  // NOLINT(google-build-using-namespace)

namespace {

// Whether this machine has NVIDIA's driver after all.
bool has_driver() { return dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL) != nullptr; }

hardware::Profile machine() {
  return hardware::probe(hardware::RealSource(), {{}, hardware::AskGpus::kWithDriver});
}

registry::Registry look(hardware::Profile profile, std::vector<std::string> environment = {}) {
  registry::RegistryOptions options;
  options.search.folders.push_back({BELAY_TEST_CUDA_PLUGIN_DIR, registry::Origin::kGiven});
  options.profile = std::move(profile);
  options.launcher.program = BELAY_TEST_PROGRAM;
  options.launcher.environment = std::move(environment);
  options.cache_file = std::filesystem::path(BELAY_TEST_BINARY_DIR) / "no_probes.json";
  std::filesystem::remove(options.cache_file);
  auto made = registry::Registry::create(options);
  REQUIRE(made.ok());
  return *std::move(made);
}

Refusal refusal_of(const registry::Registry& registry) {
  for (const auto& refused : registry.refused()) {
    if (refused.refusal.id == "test.cuda_sm61") return refused.refusal;
  }
  return {};
}

}  // namespace

TEST_CASE("without a driver the plugin is refused before it is loaded") {
  if (has_driver()) {
    MESSAGE("skipped: this machine has a driver");
    return;
  }
  const Refusal refusal = refusal_of(look(machine()));
  CHECK(refusal.stage == Stage::kFit);
  CHECK(refusal.reason == "NO_DRIVER");
}

TEST_CASE("a driver that vanished since the machine was looked at is found missing by the probe's child") {
  if (has_driver()) {
    MESSAGE("skipped: this machine has a driver");
    return;
  }
  hardware::Profile profile = machine();
  hardware::Gpu gpu;
  gpu.vendor = "nvidia";
  gpu.compute_capability = "6.1";
  profile.gpus = {gpu};
  const Refusal refusal = refusal_of(look(profile));
  CHECK(refusal.stage == Stage::kProbe);
  CHECK(refusal.reason == "NO_DRIVER");
}

TEST_CASE("with the emulated driver the probe's child gives every known answer") {
  hardware::Profile profile = machine();
  hardware::Gpu gpu;
  gpu.vendor = "nvidia";
  gpu.compute_capability = "6.1";
  profile.gpus = {gpu};
  const registry::Registry registry = look(profile, {"LD_LIBRARY_PATH=" BELAY_FAKE_CUDA_DIR});
  CHECK(refusal_of(registry).reason.empty());
  REQUIRE(registry.usable().size() == 1);
  // What is wrong with the device is told as a code.
  const std::pair<std::string, std::string> faults[] = {
      {"devices=0", "NO_DEVICE"},
      {"minor=0", "NO_DEVICE"},  // one, but none that can be used
      {"context_result=46", "DEVICE_BUSY"},
      {"module_result=209", "NO_KERNEL_IMAGE"},
      {"init_result=803", "DRIVER_TOO_OLD"}};
  for (const auto& [fault, reason] : faults) {
    const std::string settings = fault;
    CAPTURE(settings);
    const registry::Registry faulty =
        look(profile, {"LD_LIBRARY_PATH=" BELAY_FAKE_CUDA_DIR, "BELAY_FAKE_CUDA=" + settings});
    CAPTURE(refusal_of(faulty).detail);
    CHECK(refusal_of(faulty).reason == reason);
    CHECK(refusal_of(faulty).stage == Stage::kProbe);
  }
}

TEST_CASE("a machine whose device is too old for the plugin refuses it by its manifest") {
  hardware::Profile profile = machine();
  hardware::Gpu gpu;
  gpu.vendor = "nvidia";
  gpu.compute_capability = "5.2";
  profile.gpus = {gpu};
  const Refusal refusal = refusal_of(look(profile));
  CHECK(refusal.stage == Stage::kFit);
  CHECK(refusal.reason == "COMPUTE_CAPABILITY");
}

TEST_CASE("opened without a driver the plugin says so in less than 5 ms") {
  if (has_driver()) {
    MESSAGE("skipped: this machine has a driver");
    return;
  }
  const kernel_tests::TestHost host;
  double best_ms = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    void* library = dlopen(BELAY_TEST_CUDA_PLUGIN_DIR "/libbelay_test.cuda_sm61.so", RTLD_NOW | RTLD_LOCAL);
    REQUIRE(library != nullptr);
    const auto entry = reinterpret_cast<belay_entry_fn>(dlsym(library, BELAY_ENTRY_SYMBOL));
    belay_plugin_t plugin{};
    plugin.struct_size = sizeof plugin;
    belay_error_t error{};
    error.struct_size = sizeof error;
    REQUIRE(entry(host.table(), &plugin, &error) == BELAY_OK);
    std::uint64_t count = 7;
    CHECK(plugin.probe(host.table(), nullptr, 0, &count, &error) == BELAY_NO_DRIVER);
    CHECK(count == 0);
    belay_open_t options{};
    options.struct_size = sizeof options;
    belay_instance_t* instance = nullptr;
    CHECK(plugin.open(host.table(), &options, &instance, &error) == BELAY_NO_DRIVER);
    CHECK(instance == nullptr);
    CHECK(std::string(error.message).find("libcuda.so.1") != std::string::npos);
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
    best_ms = std::min(best_ms, taken.count());
  }
  CHECK(best_ms < 5);
}
