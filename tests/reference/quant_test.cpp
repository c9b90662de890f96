// The oracle's dequantisation against blocks that another implementation encoded and decoded.
#include "tests/reference/quant.hpp"

#include "core/base/json.hpp"
#include "core/base/mapped_file.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

namespace belay::reference {
namespace {

// Just enough of safetensors to read a fixture of our own: u64 header size, JSON header, data.
class Fixture {
 public:
  Fixture() {
    auto opened = MappedFile::open(BELAY_QUANT_BLOCKS);
    REQUIRE_MESSAGE(opened.ok(), "the fixture quant_blocks.safetensors is missing");
    file_ = std::move(*opened);
    std::uint64_t header_size = 0;
    std::memcpy(&header_size, file_.bytes().data(), sizeof header_size);
    data_ = sizeof header_size + header_size;
    const std::string text(reinterpret_cast<const char*>(file_.bytes().data()) + sizeof header_size,
                           header_size);
    auto header = parse_json(text, ErrorCode::kBadInput);
    REQUIRE(header.ok());
    header_ = std::move(*header);
  }

  [[nodiscard]] std::vector<std::uint8_t> bytes(const std::string& tensor) const {
    const Json& offsets = header_.at(tensor).at("data_offsets");
    const auto* begin = reinterpret_cast<const std::uint8_t*>(file_.bytes().data()) + data_;
    return {begin + offsets.at(0).get<std::size_t>(), begin + offsets.at(1).get<std::size_t>()};
  }

 private:
  MappedFile file_;
  Json header_;
  std::size_t data_ = 0;
};

void check_type(const Fixture& fixture, DType dtype, const std::string& name) {
  INFO(name);
  const Dequantised ours = dequantise(dtype, fixture.bytes(name + ".raw"));
  const std::vector<std::uint8_t> golden = fixture.bytes(name + ".f32");
  REQUIRE(ours.values.size() * sizeof(float) == golden.size());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < ours.values.size(); ++i) {
    float expected = 0.0F;
    std::memcpy(&expected, golden.data() + i * sizeof expected, sizeof expected);
    // The golden rounded each of at most three float operations.
    const double tolerance = 3.0 * std::ldexp(ours.magnitudes[i], -24);
    if (std::fabs(ours.values[i] - static_cast<double>(expected)) > tolerance) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("every weight type decodes to the golden values") {
  const Fixture fixture;
  for (const char* name : {"F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"}) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return static_cast<char>(std::tolower(c)); });
    const auto dtype = parse_dtype(lower);
    REQUIRE(dtype.has_value());
    check_type(fixture, *dtype, name);
  }
}

TEST_CASE("a half survives decoding and encoding, whatever its bits") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const double value = half_to_double(half);
    if (std::isnan(value)) {
      CHECK(std::isnan(half_to_double(double_to_half(value))));
    } else if (double_to_half(value) != half) {
      FAIL_CHECK("half ", bits, " decodes to ", value, " and encodes to ", double_to_half(value));
    }
  }
}

TEST_CASE("encoding a half rounds to nearest even") {
  CHECK(double_to_half(1.0 + std::ldexp(1.0, -11)) == 0x3C00);        // tie, down to even
  CHECK(double_to_half(1.0 + 3.0 * std::ldexp(1.0, -11)) == 0x3C02);  // tie, up to even
  CHECK(double_to_half(std::ldexp(1.0, -25)) == 0x0000);              // half the smallest denormal
  CHECK(double_to_half(std::ldexp(1.5, -25)) == 0x0001);
  CHECK(double_to_half(std::ldexp(1023.75, -24)) ==
        0x0400);  // denormal that rounds up to the smallest normal
  CHECK(double_to_half(65519.9) == 0x7BFF);
  CHECK(double_to_half(65520.0) == 0x7C00);
  CHECK(double_to_half(-1e9) == 0xFC00);
}

TEST_CASE("a Q8_0 block of -128 keeps its sign") {
  std::vector<std::uint8_t> block(34, 0x80);
  block[0] = 0x00;
  block[1] = 0x3C;  // d = 1
  for (const double value : dequantise(DType::kQ8_0, block).values) CHECK(value == -128.0);
}

}  // namespace
}  // namespace belay::reference
