// The arithmetic of a predicted speed.
#include "core/runtime/prediction.hpp"

#include "tests/support/doctest.hpp"

using belay::runtime::predict;

namespace {

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

TEST_CASE("nothing is predicted from speeds that are not known") {
  CHECK_FALSE(predict({1, 0, 0}, {}).tokens_per_s);
  CHECK_FALSE(predict({1, 1, 0}, {kHost, {}}).tokens_per_s);
  CHECK_FALSE(predict({}, {kHost, kDisk}).tokens_per_s);
}
