// Opening a device, and its memory: arena, staging, and what is given back when anything on the way fails.
#include "plugins/cuda_sm61/device/device.hpp"

#include "tests/plugins/cuda_sm61/driver/fake_cuda.hpp"
#include "tests/support/doctest.hpp"

#include <belay/cpp/guard.hpp>

#include <cstring>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

namespace belay::cuda {
namespace {

constexpr std::uint64_t kMib = std::uint64_t{1} << 20U;

fake_cuda::Settings& fresh() {
  belay_fake_cuda().reset();
  return belay_fake_cuda().settings();
}

belay_status_t status_of_opening(int ordinal = 0) {
  try {
    const Device device(ordinal);
    return BELAY_OK;
  } catch (const sdk::Error& e) {
    return e.code();
  }
}

void check_all_given_back() {
  const fake_cuda::Counts left = belay_fake_cuda().counts();
  CHECK(left.live_allocations == 0);
  CHECK(left.live_pinned == 0);
  CHECK(left.live_objects == 0);
}

TEST_CASE("a device that cannot be used says why") {
  fresh().devices = 0;
  CHECK(status_of_opening() == BELAY_NO_DEVICE);
  fresh();
  CHECK(status_of_opening(1) == BELAY_NO_DEVICE);
  fresh().minor = 0;
  CHECK(status_of_opening() == BELAY_NO_KERNEL_IMAGE);
  fresh().compute_mode = 2;
  CHECK(status_of_opening() == BELAY_DEVICE_BUSY);
  fresh().context_result = 46;
  CHECK(status_of_opening() == BELAY_DEVICE_BUSY);
  fresh().context_result = 2;
  CHECK(status_of_opening() == BELAY_OOM_DEVICE);
  fresh().module_result = 209;
  CHECK(status_of_opening() == BELAY_NO_KERNEL_IMAGE);
  fresh().module_result = 222;
  CHECK(status_of_opening() == BELAY_DRIVER_TOO_OLD);
  fresh();
  CHECK(status_of_opening() == BELAY_OK);
  check_all_given_back();
}

TEST_CASE("6.1 gets machine code, newer devices get PTX") {
  fresh();
  CHECK(Device(0).image() == ImageKind::kSass);
  fresh().major = 8;
  CHECK(Device(0).image() == ImageKind::kPtx);
}

TEST_CASE("whatever call fails while a device is opened, all is given back") {
  fresh();
  belay_fake_cuda().reset_calls();
  CHECK(status_of_opening() == BELAY_OK);
  const auto calls = static_cast<std::int64_t>(belay_fake_cuda().counts().calls);
  CHECK(calls > 100);
  for (std::int64_t k = 0; k < calls; ++k) {
    CAPTURE(k);
    fake_cuda::Settings& settings = fresh();
    settings.fail_at = k;
    settings.fail_with = 999;
    const belay_status_t status = status_of_opening();
    CHECK((status == BELAY_OK || status == BELAY_INTERNAL));
    if (status != BELAY_OK) check_all_given_back();
  }
}

TEST_CASE("a reserve of the free memory is left alone") {
  CHECK(usable_memory(0) == 0);
  CHECK(usable_memory(100 * kMib) == 0);
  CHECK(usable_memory(1000 * kMib) == 872 * kMib);
  CHECK(usable_memory(10000 * kMib) < 9201 * kMib);
  CHECK(usable_memory(10000 * kMib) > 9199 * kMib);
  fresh().others_bytes = 600 * kMib;  // of 1024
  CHECK(Device(0).arena().budget() == 296 * kMib);
}

TEST_CASE("the arena gives memory once, joins what it gets back, and stays within its budget") {
  fresh();
  Device device(0);
  Arena& arena = device.arena();
  const std::uint64_t before = arena.used();
  std::vector<DeviceMemory> parts;
  for (std::uint64_t i = 0; i < 40; ++i) parts.emplace_back(arena, (i * 37 % 11 + 1) * kMib + i, "a test");
  for (std::size_t i = 0; i < parts.size(); ++i) {
    CHECK(parts[i].address() % Arena::kAlignment == 0);
    for (std::size_t j = 0; j < i; ++j) {
      const bool apart = parts[i].address() + parts[i].bytes() <= parts[j].address() ||
                         parts[j].address() + parts[j].bytes() <= parts[i].address();
      REQUIRE(apart);
    }
  }
  CHECK(arena.used() > before + 200 * kMib);
  for (std::size_t i = 0; i < parts.size(); i += 2) parts[i].reset();
  for (std::size_t i = 1; i < parts.size(); i += 2) parts[i].reset();
  CHECK(arena.used() == before);
  // In one piece again, as large as the budget allows.
  const DeviceMemory large(arena, arena.budget() - 64 * kMib, "a test");
  DevicePointer more = 0;
  CHECK(arena.allocate(65 * kMib, more) == kOutOfMemory);
  CHECK(arena.allocate(~std::uint64_t{0}, more) == kOutOfMemory);
}

TEST_CASE("memory that somebody else took since is out of memory, and a smaller request may still fit") {
  fake_cuda::Settings& settings = fresh();
  Device device(0);
  settings.others_bytes = 700 * kMib;
  DevicePointer address = 0;
  CHECK(device.arena().allocate(400 * kMib, address) == kOutOfMemory);
  CHECK(device.arena().allocate(100 * kMib, address) == kSuccess);
}

void check_round_trip(Device& device) {
  std::vector<std::uint32_t> numbers(9 * kMib);  // 36 MiB: more than all the buffers hold
  std::iota(numbers.begin(), numbers.end(), 7U);
  const std::uint64_t bytes = numbers.size() * sizeof(std::uint32_t);
  const DeviceMemory copy = device.copy_of(numbers.data(), bytes, "a test");
  std::vector<std::uint32_t> back(numbers.size());
  Device::HostWork work = device.host_work();
  REQUIRE(work.staging.download(back.data(), copy.address(), bytes) == kSuccess);
  REQUIRE(work.staging.finish() == kSuccess);
  CHECK(back == numbers);
}

TEST_CASE("bytes come through pinned memory, or through plain memory where none can be pinned") {
  fresh();
  {
    Device device(0);
    CHECK(device.host_work().staging.pinned());
    check_round_trip(device);
  }
  check_all_given_back();
  fresh().can_pin = false;
  {
    Device device(0);
    CHECK_FALSE(device.host_work().staging.pinned());
    check_round_trip(device);
  }
  check_all_given_back();
}

TEST_CASE("scratch grows to the largest run and stays") {
  fresh();
  Device device(0);
  const auto work = device.host_work();
  DevicePointer first = 0;
  DevicePointer second = 0;
  CHECK(device.scratch(1000, first) == kSuccess);
  belay_fake_cuda().reset_calls();
  CHECK(device.scratch(1000, second) == kSuccess);
  CHECK(device.scratch(5, second) == kSuccess);
  CHECK(second == first);
  CHECK(device.scratch(100 * kMib, second) == kSuccess);
  CHECK(device.scratch(100 * kMib, first) == kSuccess);
  CHECK(second == first);
  CHECK(belay_fake_cuda().counts().allocations == 1);
  CHECK(device.scratch(device.arena().budget() + 1, first) == kOutOfMemory);
  CHECK(device.scratch(1000, first) == kSuccess);
}

}  // namespace
}  // namespace belay::cuda
