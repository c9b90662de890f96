// belay.memory/1 and belay.telemetry/1 on the emulated device.
#include "tests/plugins/cuda_sm61/host/opened.hpp"
#include "tests/support/doctest.hpp"

#include <array>
#include <cstring>
#include <map>
#include <string>

namespace belay::cuda {
namespace {

constexpr std::uint64_t kBytes = 4096;

// A buffer that is freed with the test.
struct OwnBuffer {
  OwnBuffer(Opened& owner, std::uint32_t type, std::uint64_t bytes) : opened(owner) {
    REQUIRE(opened.memory().alloc(opened.handle(), type, bytes, &handle, &opened.error) == BELAY_OK);
  }
  ~OwnBuffer() { opened.memory().free(opened.handle(), handle); }
  OwnBuffer(const OwnBuffer&) = delete;
  OwnBuffer& operator=(const OwnBuffer&) = delete;
  Opened& opened;
  std::uint64_t handle = 0;
};

struct OwnStream {
  explicit OwnStream(Opened& owner) : opened(owner) {
    REQUIRE(opened.memory().stream_create(opened.handle(), &stream, &opened.error) == BELAY_OK);
    REQUIRE(opened.memory().event_create(opened.handle(), &event, &opened.error) == BELAY_OK);
  }
  ~OwnStream() {
    opened.memory().event_destroy(event);
    opened.memory().stream_destroy(stream);
  }
  OwnStream(const OwnStream&) = delete;
  OwnStream& operator=(const OwnStream&) = delete;

  void finish(std::uint64_t deadline = 0) {
    REQUIRE(opened.memory().event_record(event, stream, &opened.error) == BELAY_OK);
    REQUIRE(opened.memory().event_sync(event, deadline, &opened.error) == BELAY_OK);
  }
  Opened& opened;
  belay_stream_t* stream = nullptr;
  belay_event_t* event = nullptr;
};

std::array<std::uint8_t, kBytes> pattern(std::uint8_t first) {
  std::array<std::uint8_t, kBytes> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 31 + first);
  return bytes;
}

TEST_CASE("memory: its types are told") {
  Opened opened;
  std::uint64_t count = 0;
  REQUIRE(opened.memory().buffer_types(opened.handle(), nullptr, 0, &count, &opened.error) == BELAY_OK);
  REQUIRE(count == 2);
  std::array<belay_buffer_type_t, 2> types{};
  for (auto& type : types) type.struct_size = sizeof type;
  REQUIRE(opened.memory().buffer_types(opened.handle(), types.data(), 2, &count, &opened.error) == BELAY_OK);
  CHECK(types[0].kind == BELAY_BUFFER_DEVICE);
  CHECK(types[0].tier == BELAY_TIER_DEVICE);
  CHECK(types[0].total_bytes == std::uint64_t{1} << 30U);
  CHECK(types[0].free_bytes > std::uint64_t{800} << 20U);
  CHECK(types[0].free_bytes < types[0].total_bytes);
  CHECK(types[1].kind == BELAY_BUFFER_PINNED);
  CHECK(types[1].index == 1);
}

TEST_CASE("memory: bytes go to the device, across it and back") {
  Opened opened;
  const belay_memory_t& memory = opened.memory();
  const OwnStream work(opened);
  OwnStream waiting(opened);
  const OwnBuffer one(opened, kDeviceBuffer, kBytes);
  const OwnBuffer two(opened, kDeviceBuffer, 2 * kBytes);
  const OwnBuffer pinned(opened, kPinnedBuffer, kBytes);
  void* address = nullptr;
  REQUIRE(memory.map(opened.handle(), pinned.handle, &address, &opened.error) == BELAY_OK);
  const auto bytes = pattern(3);
  std::memcpy(address, bytes.data(), kBytes);
  auto* h = opened.handle();
  REQUIRE(memory.copy(h, work.stream, one.handle, 0, nullptr, pinned.handle, 0, nullptr, kBytes,
                      &opened.error) == BELAY_OK);
  REQUIRE(memory.copy(h, work.stream, two.handle, 256, nullptr, one.handle, 0, nullptr, kBytes,
                      &opened.error) == BELAY_OK);
  REQUIRE(memory.fill(h, work.stream, two.handle, 0, 256, 0xab, &opened.error) == BELAY_OK);
  // Another stream takes them only when the first is done.
  REQUIRE(memory.event_record(work.event, work.stream, &opened.error) == BELAY_OK);
  REQUIRE(memory.event_wait(work.event, waiting.stream, &opened.error) == BELAY_OK);
  std::array<std::uint8_t, kBytes> back{};
  std::array<std::uint8_t, 256> filled{};
  REQUIRE(memory.copy(h, waiting.stream, 0, 0, back.data(), two.handle, 256, nullptr, kBytes,
                      &opened.error) == BELAY_OK);
  REQUIRE(memory.copy(h, waiting.stream, 0, 0, filled.data(), two.handle, 0, nullptr, 256, &opened.error) ==
          BELAY_OK);
  waiting.finish();
  CHECK(back == bytes);
  for (const std::uint8_t byte : filled) CHECK(byte == 0xab);
}

TEST_CASE("memory: an event is done when its work is, and a deadline is kept") {
  Opened opened;
  const belay_memory_t& memory = opened.memory();
  OwnStream work(opened);
  const OwnBuffer buffer(opened, kDeviceBuffer, kBytes);
  std::uint32_t done = 0;
  REQUIRE(memory.event_query(work.event, &done, &opened.error) == BELAY_OK);
  CHECK(done == 1);  // nothing was queued before it
  REQUIRE(memory.fill(opened.handle(), work.stream, buffer.handle, 0, kBytes, 0, &opened.error) == BELAY_OK);
  REQUIRE(memory.event_record(work.event, work.stream, &opened.error) == BELAY_OK);
  REQUIRE(memory.event_query(work.event, &done, &opened.error) == BELAY_OK);
  CHECK(done == 0);
  const std::uint64_t now = sdk::Host(opened.host().table()).now_ns();
  work.finish(now + 10'000'000'000);
  REQUIRE(memory.event_query(work.event, &done, &opened.error) == BELAY_OK);
  CHECK(done == 1);
  REQUIRE(memory.fill(opened.handle(), work.stream, buffer.handle, 0, kBytes, 0, &opened.error) == BELAY_OK);
  REQUIRE(memory.event_record(work.event, work.stream, &opened.error) == BELAY_OK);
  CHECK(memory.event_sync(work.event, 1, &opened.error) == BELAY_TIMEOUT);
  CHECK(opened.instance().drain(now + 10'000'000'000, &opened.error) == BELAY_OK);
}

TEST_CASE("memory: an event carries what went wrong before it") {
  Opened opened;
  const belay_memory_t& memory = opened.memory();
  OwnStream work(opened);
  const OwnBuffer buffer(opened, kDeviceBuffer, kBytes);
  belay_fake_cuda().settings().fail_with = 700;
  belay_fake_cuda().settings().fail_symbol = "cuMemsetD8Async";
  belay_fake_cuda().reset_calls();
  belay_fake_cuda().settings().fail_at = 0;
  REQUIRE(memory.fill(opened.handle(), work.stream, buffer.handle, 0, kBytes, 0, &opened.error) == BELAY_OK);
  const bool recorded = memory.event_record(work.event, work.stream, &opened.error) == BELAY_OK;
  if (recorded) CHECK(memory.event_sync(work.event, 0, &opened.error) == BELAY_DEVICE_LOST);
  CHECK(opened.error.code == BELAY_DEVICE_LOST);
  CHECK(opened.error.scope == BELAY_SCOPE_DEVICE);
  CHECK(opened.error.native_code == 700);
  CHECK(opened.instance().drain(0, &opened.error) == BELAY_OK);
  CHECK(memory.fill(opened.handle(), work.stream, buffer.handle, 0, kBytes, 0, &opened.error) ==
        BELAY_DEVICE_LOST);
  CHECK(belay_fake_cuda().counts().calls_when_stuck == 0);
}

TEST_CASE("memory: the host's own memory can be made known, and is copied where it cannot be pinned") {
  for (const bool can_pin : {true, false}) {
    CAPTURE(can_pin);
    Opened opened;
    belay_fake_cuda().settings().can_pin = can_pin;
    const belay_memory_t& memory = opened.memory();
    OwnStream work(opened);
    const OwnBuffer device(opened, kDeviceBuffer, kBytes);
    auto bytes = pattern(9);
    std::uint64_t imported = 0;
    REQUIRE(memory.import(opened.handle(), bytes.data(), kBytes, &imported, &opened.error) == BELAY_OK);
    auto* h = opened.handle();
    REQUIRE(memory.copy(h, work.stream, device.handle, 0, nullptr, imported, 0, nullptr, kBytes,
                        &opened.error) == BELAY_OK);
    work.finish();
    const auto before = bytes;
    bytes.fill(0);
    REQUIRE(memory.copy(h, work.stream, imported, 0, nullptr, device.handle, 0, nullptr, kBytes,
                        &opened.error) == BELAY_OK);
    work.finish();
    CHECK(bytes == before);
    memory.free(h, imported);
  }
}

TEST_CASE("memory: what does not fit is refused before the device is asked") {
  Opened opened;
  const belay_memory_t& memory = opened.memory();
  const OwnStream work(opened);
  const OwnBuffer device(opened, kDeviceBuffer, kBytes);
  auto* h = opened.handle();
  std::array<std::uint8_t, kBytes> bytes{};
  const auto copy = [&](std::uint64_t to, std::uint64_t offset, std::uint64_t size) {
    return memory.copy(h, work.stream, to, offset, nullptr, 0, 0, bytes.data(), size, &opened.error);
  };
  belay_fake_cuda().reset_calls();
  CHECK(copy(device.handle, 1, kBytes) == BELAY_INVALID_ARGUMENT);
  CHECK(copy(device.handle, ~std::uint64_t{0}, 2) == BELAY_INVALID_ARGUMENT);
  CHECK(copy(device.handle + 999, 0, 1) == BELAY_INVALID_ARGUMENT);
  CHECK(memory.copy(h, work.stream, 0, 0, bytes.data(), 0, 0, bytes.data(), 1, &opened.error) ==
        BELAY_UNSUPPORTED);
  CHECK(memory.copy(h, nullptr, device.handle, 0, nullptr, 0, 0, bytes.data(), 1, &opened.error) ==
        BELAY_INVALID_ARGUMENT);
  CHECK(memory.fill(h, work.stream, 0, 0, 1, 0, &opened.error) == BELAY_INVALID_ARGUMENT);
  std::uint64_t buffer = 7;
  CHECK(memory.alloc(h, 2, 1, &buffer, &opened.error) == BELAY_INVALID_ARGUMENT);
  void* address = nullptr;
  CHECK(memory.map(h, device.handle, &address, &opened.error) == BELAY_UNSUPPORTED);
  CHECK(belay_fake_cuda().counts().calls == 0);
  CHECK(memory.alloc(h, kDeviceBuffer, std::uint64_t{1} << 40U, &buffer, &opened.error) == BELAY_OOM_DEVICE);
  CHECK(opened.error.scope == BELAY_SCOPE_OUT_OF_MEMORY);
  CHECK(buffer == 0);
  memory.free(h, 12345);
  memory.free(h, 0);
}

TEST_CASE("telemetry: memory is told, and what the driver does not say is unknown") {
  Opened opened;
  std::array<belay_reading_t, 16> readings{};
  for (auto& reading : readings) reading.struct_size = sizeof reading;
  std::uint64_t count = 0;
  REQUIRE(telemetry_table()->read(opened.handle(), readings.data(), readings.size(), &count, &opened.error) ==
          BELAY_OK);
  REQUIRE(count <= readings.size());
  std::map<std::string, belay_reading_t> by_name;
  for (std::uint64_t i = 0; i < count; ++i) by_name[std::string(sdk::view(readings[i].name))] = readings[i];
  CHECK(by_name.at("memory_total_bytes").value == 1073741824.0);
  CHECK(by_name.at("memory_used_bytes").value + by_name.at("memory_free_bytes").value == 1073741824.0);
  CHECK(by_name.at("sm_clock_max_mhz").value == 1000.0);
  CHECK(by_name.at("power_watts").known == 0);
}

}  // namespace
}  // namespace belay::cuda
