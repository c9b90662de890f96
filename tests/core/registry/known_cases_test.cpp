// The known answers themselves: weights of every format mean what they are said to mean, by decoders written
// from the formulas in sdk/include/belay/tensor.h, and the plain loops agree with sums done by hand.
#include "core/registry/known_cases.hpp"

#include "core/base/half.hpp"
#include "core/registry/known_weights.hpp"
#include "tests/support/doctest.hpp"

#include <cmath>
#include <cstring>

namespace belay::registry::test {
namespace {

float half_at(const std::vector<std::byte>& bytes, std::size_t at) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, bytes.data() + at, 2);
  return half_to_float(bits);
}

unsigned byte_at(const std::vector<std::byte>& bytes, std::size_t at) {
  return std::to_integer<unsigned>(bytes[at]);
}

// Element i of the block at `at`, by the formulas of the header; slow and plain.
float decoded(DType dtype, const std::vector<std::byte>& bytes, std::size_t at, std::size_t i) {
  const auto nibble = [&](std::size_t start) {
    const unsigned both = byte_at(bytes, at + start + i % 16);
    return static_cast<int>(i < 16 ? both & 15U : both >> 4U);
  };
  const auto fifth = [&](std::size_t start) {
    return static_cast<int>(byte_at(bytes, at + start + i / 8) >> (i % 8) & 1U) << 4;
  };
  const auto k_nibble = [&](std::size_t start) {
    const unsigned both = byte_at(bytes, at + start + i / 64 * 32 + i % 32);
    return static_cast<int>(i % 64 < 32 ? both & 15U : both >> 4U);
  };
  const auto k_scale = [&](bool minimum) {
    const std::size_t group = i / 32;
    const std::size_t start = at + 4;
    if (group < 4) return byte_at(bytes, start + group + (minimum ? 4 : 0)) & 63U;
    const unsigned low = byte_at(bytes, start + group + 4) >> (minimum ? 4U : 0U) & 15U;
    return low | byte_at(bytes, start + group - (minimum ? 0 : 4)) >> 6U << 4U;
  };
  const float d = half_at(bytes, at);
  const auto k_value = [&](int q) {
    return d * static_cast<float>(k_scale(false)) * static_cast<float>(q) -
           half_at(bytes, at + 2) * static_cast<float>(k_scale(true));
  };
  switch (dtype) {
    case DType::kF16:
      return d;
    case DType::kQ8_0:
      return d * static_cast<float>(static_cast<std::int8_t>(byte_at(bytes, at + 2 + i)));
    case DType::kQ4_0:
      return d * static_cast<float>(nibble(2) - 8);
    case DType::kQ4_1:
      return d * static_cast<float>(nibble(4)) + half_at(bytes, at + 2);
    case DType::kQ5_0:
      return d * static_cast<float>((nibble(6) | fifth(2)) - 16);
    case DType::kQ5_1:
      return d * static_cast<float>(nibble(8) | fifth(4)) + half_at(bytes, at + 2);
    case DType::kQ4_K:
      return k_value(k_nibble(16));
    case DType::kQ5_K:
      return k_value(k_nibble(48) | static_cast<int>(byte_at(bytes, at + 16 + i % 32) >> (i / 32) & 1U) << 4);
    case DType::kQ6_K: {
      const std::size_t part = i % 128 / 32;
      const unsigned low =
          byte_at(bytes, at + i / 128 * 64 + (part % 2) * 32 + i % 32) >> (part / 2 * 4) & 15U;
      const unsigned high = byte_at(bytes, at + 128 + i / 128 * 32 + i % 32) >> (2 * part) & 3U;
      const auto scale = static_cast<std::int8_t>(byte_at(bytes, at + 192 + i / 16));
      return half_at(bytes, at + 208) * static_cast<float>(scale) *
             static_cast<float>(static_cast<int>(low | high << 4U) - 32);
    }
    default:
      return std::nanf("");
  }
}

TEST_CASE("known weights decode to their values in every format") {
  for (const DType dtype : {DType::kF16, DType::kQ8_0, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                            DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
    CAPTURE(to_string(dtype));
    constexpr std::size_t kRows = 3;
    constexpr std::size_t kColumns = 512;
    const auto weights = known_weights(dtype, kRows, kColumns);
    REQUIRE(weights.has_value());
    REQUIRE(weights->bytes.size() == kRows * *row_bytes(dtype, kColumns));
    const std::size_t block = info(dtype).block_elems;
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < kRows * kColumns; ++i) {
      const float value = decoded(dtype, weights->bytes, i / block * info(dtype).block_bytes, i % block);
      if (value != known_value(i / kColumns, i % kColumns) || value != weights->values[i]) ++wrong;
    }
    CHECK(wrong == 0);
  }
  CHECK_FALSE(known_weights(DType::kQ4_K, 1, 128).has_value());
  CHECK_FALSE(known_weights(DType::kI32, 1, 128).has_value());
}

TEST_CASE("halves round-trip") {
  for (const float value : {0.0F, 1.0F, -1.5F, 0.125F, -0.75F, 2048.0F, 0.0001220703125F}) {
    CHECK(half_to_float(float_to_half(value)) == value);
  }
  CHECK(float_to_half(1.0F) == 0x3C00);
  CHECK(float_to_half(-2.0F) == 0xC000);
}

TEST_CASE("there is a case for every operator with an answer of the right size") {
  for (const char* op : {BELAY_OP_EMBED, BELAY_OP_LINEAR, BELAY_OP_RMS_NORM, BELAY_OP_LAYER_NORM,
                         BELAY_OP_ROPE, BELAY_OP_KV_WRITE, BELAY_OP_ATTENTION, BELAY_OP_SILU_MUL,
                         BELAY_OP_GELU, BELAY_OP_ADD, BELAY_OP_QKV, BELAY_OP_MLP_SWIGLU}) {
    CAPTURE(op);
    const auto known = known_case(op, DType::kF32);
    REQUIRE(known.has_value());
    CHECK(known->op == op);
    REQUIRE(known->outputs.size() == known->expected.size());
    for (std::size_t i = 0; i < known->outputs.size(); ++i) {
      CHECK(known->outputs[i].tensor.nbytes == known->expected[i].size() * sizeof(float));
      for (const float value : known->expected[i]) CHECK(std::isfinite(value));
    }
  }
  CHECK_FALSE(known_case("acme.other/1", DType::kF32).has_value());
  CHECK_FALSE(known_case(BELAY_OP_ADD, DType::kQ8_0).has_value());
  CHECK(known_case(BELAY_OP_KV_WRITE, DType::kF16)->outputs[0].tensor.dtype == BELAY_DTYPE_F16);
}

TEST_CASE("answers by hand") {
  const auto add = known_case(BELAY_OP_ADD, DType::kF32);
  const auto* a = reinterpret_cast<const float*>(add->inputs[0].bytes.data());
  const auto* b = reinterpret_cast<const float*>(add->inputs[1].bytes.data());
  CHECK(add->expected[0][40] == a[40] + b[40]);

  const auto linear = known_case(BELAY_OP_LINEAR, DType::kQ8_0);
  const auto* x = reinterpret_cast<const float*>(linear->inputs[0].bytes.data());
  float sum = 0;  // token 1, output 3: exact, all products are small multiples of 1/16
  for (std::size_t k = 0; k < 256; ++k) sum += x[256 + k] * known_value(3, k);
  CHECK(linear->expected[0][5 + 3] == sum);

  const auto norm = known_case(BELAY_OP_RMS_NORM, DType::kF32);
  double squares = 0;
  const auto* row = reinterpret_cast<const float*>(norm->inputs[0].bytes.data());
  for (int i = 0; i < 64; ++i) squares += double{row[i]} * row[i];
  const auto* w = reinterpret_cast<const float*>(norm->constants[0].bytes.data());
  CHECK(norm->expected[0][7] ==
        doctest::Approx(row[7] / std::sqrt(squares / 64 + 1e-5) * w[7]).epsilon(1e-6));

  const auto rope = known_case(BELAY_OP_ROPE, DType::kF32);
  const auto* heads = reinterpret_cast<const float*>(rope->inputs[0].bytes.data());
  CHECK(rope->expected[0][5] == heads[5]);  // position 0 does not turn
  CHECK(rope->expected[0][64] ==
        doctest::Approx(heads[64] * std::cos(3.0) - heads[80] * std::sin(3.0)).epsilon(1e-6));

  // Attention is an average of values: it lies between their smallest and largest.
  const auto attention = known_case(BELAY_OP_ATTENTION, DType::kF32);
  for (const float value : attention->expected[0]) CHECK(std::fabs(value) < 1.0F);

  const auto write = known_case(BELAY_OP_KV_WRITE, DType::kF32);
  const auto* k = reinterpret_cast<const float*>(write->inputs[0].bytes.data());
  // token 2, kv head 1, element 9 goes to position 4 of head 1
  CHECK(write->expected[0][(64 + 4) * 32 + 9] == k[(2 * 2 + 1) * 32 + 9]);
  const auto* held = reinterpret_cast<const float*>(write->outputs[0].bytes.data());
  CHECK(write->expected[0][(64 + 5) * 32 + 9] == held[(64 + 5) * 32 + 9]);
}

}  // namespace
}  // namespace belay::registry::test
