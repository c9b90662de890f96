// Converted weights against the decoder in tests/reference, and against the bytes of ggml's own quantisers.
#include "core/formats/quantize.hpp"

#include "core/base/half.hpp"
#include "core/base/sha256.hpp"
#include "core/formats/safetensors.hpp"
#include "tests/reference/quant.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace belay::formats {

namespace {

constexpr std::array kBlockTypes = {DType::kQ8_0, DType::kQ4_0, DType::kQ4_K, DType::kQ6_K};
constexpr std::array kAllTypes = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                                  DType::kQ4_0, DType::kQ4_K, DType::kQ6_K};

std::vector<std::byte> quantized(DType to, std::span<const float> x) {
  std::vector<std::byte> bytes(*row_bytes(to, x.size()), std::byte{0xA5});  // whatever is not written shows
  const Status status = quantize_row(to, x, bytes, 0);
  REQUIRE_MESSAGE(status.ok(), (status.ok() ? "" : status.error().message));
  return bytes;
}

std::vector<double> restored(DType to, std::span<const float> x) {
  const auto bytes = quantized(to, x);
  return reference::dequantise(to, {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()})
      .values;
}

double rms_error(DType to, std::span<const float> x) {
  const std::vector<double> values = restored(to, x);
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += std::pow(values[i] - static_cast<double>(x[i]), 2);
  return std::sqrt(sum / static_cast<double>(x.size()));
}

std::vector<float> normals(std::size_t count, float spread, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

// Rows of 512 that a converter may meet, each with a name for messages.
struct Sample {
  const char* name;
  std::vector<float> values;
};

std::vector<Sample> samples() {
  std::vector<Sample> made;
  made.push_back({"gaussian", normals(512, 0.02F, 1)});
  made.push_back({"zero", std::vector<float>(512, 0.0F)});
  made.push_back({"negative zero", std::vector<float>(512, -0.0F)});
  made.push_back({"constant", std::vector<float>(512, 0.37F)});
  made.push_back({"negative constant", std::vector<float>(512, -0.37F)});
  made.push_back({"tiny", normals(512, 3e-7F, 2)});
  made.push_back({"tinier than any half", normals(512, 1e-20F, 3)});
  made.push_back({"denormal", normals(512, 1e-40F, 4)});
  made.push_back({"huge", normals(512, 10000, 5)});
  made.push_back({"outliers", normals(512, 0.02F, 6)});
  for (std::size_t i = 0; i < 512; i += 50) made.back().values[i] *= 60;
  made.push_back({"positive", normals(512, 0.02F, 7)});
  for (float& value : made.back().values) value = std::abs(value);
  made.push_back({"alternating extremes", std::vector<float>(512, kMaxHalf)});
  for (std::size_t i = 0; i < 512; i += 2) made.back().values[i] = -kMaxHalf;
  made.push_back({"steps between blocks", std::vector<float>(512)});
  for (std::size_t i = 0; i < 512; ++i)
    made.back().values[i] = std::ldexp(1.0F, static_cast<int>(i / 16) - 16);
  made.push_back({"one value", std::vector<float>(512, 0.0F)});
  made.back().values[300] = -5;
  return made;
}

double largest_size(std::span<const float> block) {
  double largest = 0;
  for (const float value : block) largest = std::max(largest, std::abs(static_cast<double>(value)));
  return largest;
}

// The most that one value of a block may be off, from the largest size in it. A step of the grid and, for
// scales, half a step of halves: 2^-25 for the denormal ones, which every code multiplies.
double allowed_error(DType to, double largest) {
  constexpr double kHalfStep = 0x1p-11;
  constexpr double kDenormal = 0x1p-25;
  switch (to) {
    case DType::kQ8_0:
      return largest * (0.5 / 127 + kHalfStep) + 127 * kDenormal;
    case DType::kQ4_0:  // the far end of the range lies one step short
      return largest * (1.0 / 8 + kHalfStep) + 8 * kDenormal;
    case DType::kQ6_K:  // scales have 8 bits, of the largest
      return largest * (1.0 / 31 + 1.0 / 128 + kHalfStep) + 128 * 32 * kDenormal;
    default:  // Q4_K: scales and minima have 6 bits, of the largest
      return largest * (2.0 / 15 + 2.0 / 63 + 2 * kHalfStep) + 63 * 16 * kDenormal;
  }
}

// Sums of four even draws, every 97th value an outlier: the same numbers on every machine.
std::vector<float> reproducible_values(std::size_t count) {
  std::uint64_t state = 1;
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::int64_t sum = 0;
    for (int draw = 0; draw < 4; ++draw) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      sum += static_cast<std::int64_t>(state >> 44U) - 524288;
    }
    values[i] = static_cast<float>(sum * (i % 97 == 0 ? 40 : 1)) / 4194304.0F;
  }
  return values;
}

}  // namespace

TEST_CASE("ggml's reference quantisers make the same bytes") {
  struct Row {
    DType to;
    const char* sha256;  // of ggml_quantize_chunk's bytes (ggml 0.13.1) for the same 32 rows of 1024
  };
  constexpr std::array<Row, 4> kRows = {{
      {DType::kQ8_0, "741c4be2a952f9affa0e82e827a3da39171b4a19d66506746ad104893c78dd26"},
      {DType::kQ4_0, "30c7fe3c843e35326aaf4766d8eb60bcfc3794664bc51317d95396446a4afae9"},
      {DType::kQ4_K, "2c563e6e67c914e67a37edf4727b70f2e5c2160f8e23d2d434bde6581fa9fb8d"},
      {DType::kQ6_K, "0f8e4e279230db389c20c193ca1ae3b11f56228ffd3e304eb129994245c635f2"},
  }};
  const std::vector<float> values = reproducible_values(std::size_t{32} * 1024);
  for (const Row& row : kRows)
    CHECK_MESSAGE(sha256_hex(quantized(row.to, values)) == row.sha256, to_string(row.to));
}

TEST_CASE("the goldens' bytes come from their source values") {
  const auto file = SafetensorsFile::open(std::string(BELAY_GOLDENS) + "/cases/quant_blocks.safetensors");
  REQUIRE(file.ok());
  for (const std::string type : {"F16", "BF16", "Q8_0", "Q4_0"}) {
    std::string lower = type;
    for (char& letter : lower) letter = static_cast<char>(std::tolower(letter));
    const TensorView* source = file->find(type + ".src");
    const TensorView* raw = file->find(type + ".raw");
    std::vector<float> values(source->data.size() / sizeof(float));
    REQUIRE(to_f32(source->dtype, source->data, values).ok());
    CHECK_MESSAGE(std::ranges::equal(quantized(*parse_dtype(lower), values), raw->data), type);
  }
}

TEST_CASE("every value stays within what its type can say") {
  for (const Sample& sample : samples()) {
    const std::span<const float> x = sample.values;
    for (const DType to : kBlockTypes) {
      const std::vector<double> values = restored(to, x);
      const std::size_t block = info(to).block_elems;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double most = allowed_error(to, largest_size(x.subspan(i / block * block, block)));
        CHECK_MESSAGE(std::abs(values[i] - static_cast<double>(x[i])) <= most, sample.name, ", ",
                      to_string(to), ", value ", i, ": ", x[i], " became ", values[i]);
      }
    }
  }
}

TEST_CASE("zeros stay zeros, and a constant row of a block type is one constant") {
  for (const DType to : kAllTypes) {
    for (const double value : restored(to, std::vector<float>(512, 0.0F))) CHECK(value == 0);
    const std::vector<double> constant = restored(to, std::vector<float>(512, -3.0F));
    for (const double value : constant) CHECK(value == constant[0]);
    CHECK(constant[0] == doctest::Approx(-3.0).epsilon(0.002));
  }
}

TEST_CASE("on gaussian rows each larger type is clearly better") {
  const std::vector<float> x = normals(std::size_t{64} * 1024, 1, 8);
  const double q4_0 = rms_error(DType::kQ4_0, x);
  const double q4_k = rms_error(DType::kQ4_K, x);
  const double q6_k = rms_error(DType::kQ6_K, x);
  const double q8_0 = rms_error(DType::kQ8_0, x);
  // As measured with ggml on gaussian rows of deviation 1: 0.0858, 0.0713, 0.0177, 0.0053.
  CHECK(q4_0 < 0.088);
  CHECK(q4_k < 0.073);
  CHECK(q6_k < 0.0182);
  CHECK(q8_0 < 0.0055);
  CHECK(q4_k < 0.9 * q4_0);
  CHECK(q6_k < 0.3 * q4_k);
  CHECK(q8_0 < 0.4 * q6_k);
}

TEST_CASE("NaN, infinity and values beyond halves are refused with row and column") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const DType to : kAllTypes) {
    const bool holds_halves = to != DType::kF32 && to != DType::kBF16;
    std::vector<std::byte> out(*row_bytes(to, 512));
    for (const float bad : {std::nanf(""), kInfinity, -kInfinity, 65505.0F, -1e30F}) {
      std::vector<float> x(512, 1.0F);
      x[417] = bad;
      const Status status = quantize_row(to, x, out, 12);
      CHECK_MESSAGE(status.ok() == (std::isfinite(bad) && !holds_halves), to_string(to), " of ", bad);
      if (status.ok()) continue;
      CHECK(status.error().code == ErrorCode::kBadInput);
      CHECK(status.error().message.starts_with("row 12, column 417: "));
    }
  }
}

TEST_CASE("a row that is no whole number of blocks, or a type that nothing is converted to, is refused") {
  std::vector<float> x(320);
  std::vector<std::byte> out(2000);
  const Status part = quantize_row(DType::kQ4_K, x, out, 0);
  REQUIRE_FALSE(part.ok());
  CHECK(part.error().message == "rows of 320 values are not whole blocks of q4_k (256 values each)");
  const Status type = quantize_row(DType::kQ5_K, x, out, 0);
  REQUIRE_FALSE(type.ok());
  CHECK(type.error().code == ErrorCode::kBadInput);
  CHECK(type.error().message.starts_with("weights cannot be converted to q5_k"));
  CHECK(quantize_row(DType::kQ8_0, {}, {}, 0).ok());
}

TEST_CASE("plain types widen exactly from any address") {
  const std::vector<float> values = normals(300, 1, 9);
  for (const DType from : {DType::kF32, DType::kF16, DType::kBF16}) {
    const auto bytes = quantized(from, values);
    std::vector<std::byte> shifted(bytes.size() + 1);
    std::memcpy(shifted.data() + 1, bytes.data(), bytes.size());
    std::vector<float> widened(values.size());
    REQUIRE(to_f32(from, std::span(shifted).subspan(1), widened).ok());
    const std::vector<double> expected = restored(from, values);
    for (std::size_t i = 0; i < values.size(); ++i) CHECK(static_cast<double>(widened[i]) == expected[i]);
  }
  std::vector<float> out(1);
  const std::array<std::byte, 4> bytes = {};
  CHECK(to_f32(DType::kI32, bytes, out).error().message ==
        "weights of type i32 cannot be converted, only f32, f16 and bf16");
}

}  // namespace belay::formats
