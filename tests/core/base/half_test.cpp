// half.hpp against the plain definitions in tests/reference, which share no code with it.
#include "core/base/half.hpp"

#include "tests/reference/quant.hpp"
#include "tests/support/doctest.hpp"

#include <bit>
#include <cmath>
#include <limits>
#include <random>

using belay::bfloat16_to_float;
using belay::float_to_bfloat16;
using belay::float_to_half;
using belay::half_to_float;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::uint16_t expected_half(float value) {
  return belay::reference::double_to_half(static_cast<double>(value));
}

}  // namespace

TEST_CASE("every half becomes its value and comes back") {
  std::size_t wrong = 0;
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = half_to_float(half);
    const double wanted = belay::reference::half_to_double(half);
    if (std::isnan(wanted)) {
      wrong += std::isnan(value) && std::isnan(half_to_float(float_to_half(value))) ? 0 : 1;
    } else {
      wrong += static_cast<double>(value) == wanted && float_to_half(value) == half ? 0 : 1;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("the middle between two halves goes to the even one, its neighbours to the nearer one") {
  std::size_t wrong = 0;
  for (std::uint32_t bits = 0; bits < 0x7C00; ++bits) {  // denormals included; the last middle is 65520
    const float low = half_to_float(static_cast<std::uint16_t>(bits));
    const float high = bits == 0x7BFF ? 65536.0F : half_to_float(static_cast<std::uint16_t>(bits + 1));
    const float middle = low + (high - low) / 2;
    wrong += float_to_half(middle) == bits + (bits & 1U) ? 0 : 1;
    wrong += float_to_half(std::nextafter(middle, 0.0F)) == bits ? 0 : 1;
    wrong += float_to_half(std::nextafter(middle, kInfinity)) == bits + 1 ? 0 : 1;
    wrong += float_to_half(-middle) == ((bits + (bits & 1U)) | 0x8000U) ? 0 : 1;
  }
  CHECK(wrong == 0);
}

TEST_CASE("property: any float becomes the half of the definition") {
  std::mt19937 random(7);
  std::size_t wrong = 0;
  for (int i = 0; i < 2'000'000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (std::isnan(value)) continue;
    wrong += float_to_half(value) == expected_half(value) ? 0 : 1;
  }
  CHECK(wrong == 0);
}

TEST_CASE("halves beyond the largest are infinite, NaN stays NaN, zero keeps its sign") {
  CHECK(float_to_half(belay::kMaxHalf) == 0x7BFF);
  CHECK(float_to_half(65519.996F) == 0x7BFF);
  CHECK(float_to_half(65520.0F) == 0x7C00);
  CHECK(float_to_half(-kInfinity) == 0xFC00);
  CHECK(float_to_half(-0.0F) == 0x8000);
  // The lowest bits of a NaN are not in the half: it must not become infinity.
  CHECK(std::isnan(half_to_float(float_to_half(std::bit_cast<float>(0x7F800001U)))));
  CHECK(std::isnan(half_to_float(float_to_half(std::bit_cast<float>(0xFFFFFFFFU)))));
}

TEST_CASE("bfloat16 there and back, rounded to even, with infinities and NaN") {
  std::size_t wrong = 0;
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const float value = bfloat16_to_float(static_cast<std::uint16_t>(bits));
    wrong += std::isnan(value) ? (std::isnan(bfloat16_to_float(float_to_bfloat16(value))) ? 0 : 1)
                               : (float_to_bfloat16(value) == bits ? 0 : 1);
  }
  CHECK(wrong == 0);
  CHECK(float_to_bfloat16(std::bit_cast<float>(0x3F808000U)) == 0x3F80);  // a tie, to the even one
  CHECK(float_to_bfloat16(std::bit_cast<float>(0x3F818000U)) == 0x3F82);
  CHECK(float_to_bfloat16(std::bit_cast<float>(0x3F808001U)) == 0x3F81);
  CHECK(float_to_bfloat16(std::numeric_limits<float>::max()) == 0x7F80);
  CHECK(std::isnan(bfloat16_to_float(float_to_bfloat16(std::bit_cast<float>(0x7F800001U)))));
}
