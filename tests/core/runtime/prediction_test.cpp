// The arithmetic of a predicted speed, and what is read of a file to measure its disk.
#include "core/runtime/prediction.hpp"

#include "tests/core/runtime/plain_disk.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>

using belay::runtime::predict;

namespace {

constexpr std::uint64_t kFileBytes = (std::uint64_t{20} << 20U) + 12345;

struct Reads {
  std::uint64_t count = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t most_in_flight = 0;
  std::uint64_t end = 0;  // of the last byte
} reads;                  // of the last measurement

std::optional<double> measure(std::uint64_t offset, std::uint64_t bytes, std::uint64_t ring_bytes) {
  reads = {};
  belay::test::PlainDisk disk(kFileBytes);  // as fast as it is empty
  disk.on_read = [](const belay_extent_t& extent) {
    CHECK(extent.offset % 4096 == 0);
    ++reads.count;
    reads.most_in_flight = std::max(reads.most_in_flight, ++reads.in_flight);
    reads.end = std::max(reads.end, extent.offset + extent.bytes);
  };
  disk.on_end = [] { --reads.in_flight; };
  belay::threading::Pool pool({.threads = 2, .pin = false});
  return belay::runtime::measure_disk(
      disk.storage(), {"some.gguf", offset, bytes, ring_bytes, [&](std::span<const std::byte> arrived) {
                         belay::runtime::use_arrived(arrived, pool);
                       }});
}

constexpr double kHost = 20e9;
constexpr double kDisk = 2e9;

double seconds(const belay::runtime::TokenBytes& bytes) {
  return 1 / predict(bytes, {kHost, kDisk}).tokens_per_s.value_or(0);
}

}  // namespace

TEST_CASE("what stays in memory is read nearly as fast as memory delivers") {
  const double s = seconds({1'000'000'000, 0, 0});
  CHECK(s > 1e9 / kHost);
  CHECK(s < 1.3e9 / kHost);
}

TEST_CASE("streamed weights take the disk's time, beside which they are computed") {
  CHECK(seconds({0, 1'000'000'000, 0}) == doctest::Approx(1e9 / kDisk));
  CHECK(1 / predict({0, 1'000'000'000, 0}, {kHost, 100e9}).tokens_per_s.value_or(0) > 1e9 / kHost);
}

TEST_CASE("the disk is busy while layers that stay are computed, for as long as there is room") {
  const std::uint64_t host = 1'000'000'000;
  const double pinned = seconds({host, 0, 0});
  const double nothing_ahead = seconds({host, 400'000'000, 0});
  CHECK(nothing_ahead == doctest::Approx(pinned + 4e8 / kDisk));
  CHECK(seconds({host, 400'000'000, 50'000'000}) == doctest::Approx(nothing_ahead - 5e7 / kDisk));
  CHECK(seconds({host, 400'000'000, 400'000'000}) == doctest::Approx(nothing_ahead - pinned));
}

TEST_CASE("a disk is measured through a ring of the plan's size, and never behind the end of the file") {
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
  CHECK(measure(5000, 16 * kMiB, 8 * kMiB).value_or(0) > 0);
  CHECK(reads.count == 2 * 2);
  CHECK(reads.most_in_flight == 1);
  CHECK(reads.in_flight == 0);

  CHECK(measure(kFileBytes - 100, 16 * kMiB, 64 * kMiB).value_or(0) > 0);  // where a layer's matrix may lie
  CHECK(reads.count == 2 * 2);
  CHECK(reads.most_in_flight == 2);
  CHECK(reads.end <= kFileBytes);

  CHECK(measure(0, 1000 * kMiB, 16 * kMiB).value_or(0) > 0);
  CHECK(reads.end <= kFileBytes);
  CHECK_FALSE(measure(0, kMiB, 16 * kMiB));  // too little to measure
  CHECK(reads.count == 0);
}

TEST_CASE("what only the first pass over a disk costs does not count") {
  belay::test::PlainDisk disk(kFileBytes);
  int waits = 0;
  disk.on_wait = [&] { std::this_thread::sleep_for(std::chrono::milliseconds(++waits <= 2 ? 200 : 0)); };
  const std::uint64_t bytes = std::uint64_t{16} << 20U;
  const auto speed =
      belay::runtime::measure_disk(disk.storage(), {"some.gguf", 0, bytes, bytes, [](const auto&) {}});
  CHECK(waits == 4);
  CHECK(speed.value_or(0) > static_cast<double>(bytes) / 0.4);
}

TEST_CASE("nothing is predicted from speeds that are not known") {
  CHECK_FALSE(predict({1, 0, 0}, {}).tokens_per_s);
  CHECK_FALSE(predict({1, 1, 0}, {kHost, {}}).tokens_per_s);
  CHECK_FALSE(predict({}, {kHost, kDisk}).tokens_per_s);
}
