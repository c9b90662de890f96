// Quantised activations against the reference's.
#include "tests/plugins/cuda_sm61/linear/emulated_linear.hpp"
#include "tests/reference/ops.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace belay::cuda_tests {
namespace {

using kernel_tests::Fill;
using kernel_tests::Random;

struct Result {
  std::vector<double> values;  // scale * q
  std::vector<int> quants;
  std::vector<double> scales;  // a block's
  std::vector<double> sums;
};

Result quantised(std::span<const float> x, std::size_t tokens, std::size_t k,
                 const emulator::Options& options = {}) {
  QuantisedOnDevice device(kernel_tests::to_bytes(x), tokens, k, options);
  Result result;
  for (std::size_t b = 0; b < device.blocks; ++b) {
    result.scales.push_back(static_cast<double>(device.scales.as<float>()[2 * b]));
    result.sums.push_back(static_cast<double>(device.scales.as<float>()[2 * b + 1]));
    for (std::size_t i = 0; i < 32; ++i) {
      const signed char* half = i < 16 ? device.low.as<signed char>() : device.high.as<signed char>();
      result.quants.push_back(half[16 * b + i % 16]);
      result.values.push_back(result.scales.back() * result.quants.back());
    }
  }
  return result;
}

// How many values lie where no correct implementation puts them.
std::size_t wrong_values(const Result& actual, const reference::QuantisedActivations& expected) {
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < actual.values.size(); ++i) {
    const double value = expected.values[i];
    // The scale is a float: 2^-24 of the value, or a denormal's last bit for each step.
    const double tolerance = expected.doubt[i] + std::fabs(value) * 0x1p-23 + 128 * 0x1p-149;
    const bool fits =
        std::isnan(value) ? std::isnan(actual.values[i]) : std::fabs(actual.values[i] - value) <= tolerance;
    if (!fits || actual.quants[i] == -128) ++wrong;
  }
  return wrong;
}

std::size_t wrong_sums(const Result& actual) {
  std::size_t wrong = 0;
  for (std::size_t b = 0; b < actual.scales.size(); ++b) {
    const auto first = actual.quants.begin() + static_cast<std::ptrdiff_t>(32 * b);
    const double sum = actual.scales[b] * std::accumulate(first, first + 32, 0);
    const bool fits = std::isnan(sum)
                          ? std::isnan(actual.sums[b])
                          : std::fabs(actual.sums[b] - sum) <= std::fabs(sum) * 0x1p-24 + 0x1p-149;
    if (!fits) ++wrong;
  }
  return wrong;
}

void check(std::span<const float> x, std::size_t tokens, std::size_t k) {
  const Result actual = quantised(x, tokens, k);
  REQUIRE(actual.values.size() == x.size());
  CHECK(wrong_values(actual, reference::quantise_activations(kernel_tests::to_doubles(x), k)) == 0);
  CHECK(wrong_sums(actual) == 0);
}

TEST_CASE("quantised activations are the reference's") {
  std::uint64_t seed = 100;
  for (const Fill fill : {Fill::kNormal, Fill::kTiny, Fill::kHuge, Fill::kDenormal, Fill::kMixed, Fill::kZero,
                          Fill::kNan, Fill::kInfinity, Fill::kEqual}) {
    for (const std::size_t tokens : {1, 3, 9}) {
      for (const std::size_t k : {32, 96, 1056}) {
        Random random(++seed);
        INFO(kernel_tests::to_string(fill), " tokens ", tokens, " k ", k);
        check(kernel_tests::make_floats(random, fill, tokens * k, k), tokens, k);
      }
    }
  }
}

// Blocks whose largest value is any power of two, from denormals to the largest float.
TEST_CASE("quantised activations are the reference's at every exponent") {
  Random random(3);
  std::vector<float> x;
  for (int exponent = -148; exponent <= 127; ++exponent) {
    for (int i = 0; i < 32; ++i)
      x.push_back(static_cast<float>(std::ldexp(2.0 * random.unit() - 1.0, exponent)));
    x.back() = static_cast<float>(std::ldexp(1.0, exponent));
  }
  check(x, 1, x.size());
}

TEST_CASE("what is not finite makes its block NaN, wherever it stands, and no other") {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    for (std::size_t at = 0; at < 32; ++at) {
      std::vector<float> x(96, 0.5F);
      x[32 + at] = bad;
      const Result result = quantised(x, 1, 96);
      CHECK(std::isnan(result.scales[1]));
      CHECK(std::isnan(result.sums[1]));
      CHECK(std::isfinite(result.scales[0]));
      CHECK(std::isfinite(result.scales[2]));
    }
  }
}

TEST_CASE("ties go to the even integer") {
  std::vector<float> x(32, 0.0F);
  x[0] = 127.0F;
  for (int i = 1; i < 32; ++i) x[static_cast<std::size_t>(i)] = static_cast<float>(i) - 16.5F;
  const Result result = quantised(x, 1, 32);
  for (std::size_t i = 1; i < 32; ++i)
    CHECK(result.quants[i] == static_cast<int>(std::nearbyint(static_cast<double>(x[i]))));
}

TEST_CASE("quantised activations do not depend on the order of threads") {
  Random random(17);
  constexpr std::size_t kCols = 352;
  const auto x = kernel_tests::make_floats(random, Fill::kMixed, 7 * kCols, kCols);
  const Result first = quantised(x, 7, kCols);
  for (const emulator::Options& options : all_schedules()) {
    const Result result = quantised(x, 7, kCols, options);
    CHECK(result.quants == first.quants);
    CHECK(result.scales == first.scales);
    CHECK(result.sums == first.sums);
  }
}

}  // namespace
}  // namespace belay::cuda_tests
