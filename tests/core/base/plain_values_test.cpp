// checked.hpp, text.hpp, status.hpp, dtype.hpp, sha256.hpp, log.hpp: the small values that everything stands
// on.
#include "core/base/checked.hpp"
#include "core/base/dtype.hpp"
#include "core/base/format.hpp"
#include "core/base/log.hpp"
#include "core/base/sha256.hpp"
#include "core/base/status.hpp"
#include "core/base/text.hpp"
#include "tests/support/doctest.hpp"

#include <limits>
#include <memory>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

using belay::CheckedU64;
using belay::DType;
using belay::ErrorCode;
using belay::Result;
using belay::Status;

namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

Result<int> half(int value) {
  if (value % 2 != 0) return belay::fail(ErrorCode::kBadInput, "{} is odd", value);
  return value / 2;
}

Result<int> quarter(int value) {
  BELAY_TRY_ASSIGN(const int first, half(value));
  BELAY_TRY_ASSIGN(const int second, half(first));
  return second;
}

Status is_even(int value) {
  BELAY_TRY(half(value));
  return {};
}

}  // namespace

TEST_CASE("checked arithmetic: once invalid, always invalid") {
  CHECK((CheckedU64(2) + 3).value() == 5);
  CHECK((CheckedU64(5) - 3).value() == 2);
  CHECK((CheckedU64(5) * 3).value() == 15);
  CHECK(!(CheckedU64(kMax) + 1).valid());
  CHECK(!(CheckedU64(2) - 3).valid());
  CHECK(!(CheckedU64(kMax) * 2).valid());
  CHECK(!((CheckedU64(kMax) + 1) - kMax).valid());
  CHECK(!((CheckedU64(kMax) + 1) * 0).value());
  CHECK(!(CheckedU64(kMax) + 1).fits(kMax));
  CHECK(CheckedU64(7).fits(7));
  CHECK(!CheckedU64(8).fits(7));
  CHECK(CheckedU64(65).align_up(64).value() == 128);
  CHECK(CheckedU64(64).align_up(64).value() == 64);
  CHECK(!CheckedU64(kMax).align_up(64).valid());
  CheckedU64 sum = kMax;
  sum += 0;
  CHECK(sum.value() == kMax);
  sum *= 2;
  CHECK(!sum.valid());
}

TEST_CASE("property: checked arithmetic equals 128-bit arithmetic") {
  __extension__ using Wide = unsigned __int128;
  std::mt19937_64 random(3);
  for (int i = 0; i < 100000; ++i) {
    const std::uint64_t a = random() >> (random() % 64);
    const std::uint64_t b = random() >> (random() % 64);
    CHECK((CheckedU64(a) + b).valid() == (Wide{a} + b <= kMax));
    CHECK((CheckedU64(a) * b).valid() == (Wide{a} * b <= kMax));
    CHECK((CheckedU64(a) - b).valid() == (a >= b));
    if ((CheckedU64(a) * b).valid()) CHECK(*(CheckedU64(a) * b).value() == a * b);
  }
}

TEST_CASE("narrow keeps the value or gives nothing") {
  CHECK(belay::narrow<std::int32_t>(std::uint64_t{2147483647}) == 2147483647);
  CHECK(!belay::narrow<std::int32_t>(std::uint64_t{2147483648}));
  CHECK(!belay::narrow<std::uint64_t>(std::int64_t{-1}));
  CHECK(!belay::narrow<std::int64_t>(kMax));
  CHECK(belay::narrow<std::uint8_t>(255) == 255);
  CHECK(!belay::narrow<std::uint8_t>(256));
  CHECK(belay::narrow<std::int8_t>(std::int64_t{-128}) == -128);
}

TEST_CASE("utf-8: the first invalid byte") {
  const auto npos = std::string_view::npos;
  for (const char* valid : {"", "abc", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                            "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    CHECK(belay::find_invalid_utf8(valid) == npos);
  }
  for (const char* invalid :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xC2", "\xE2\x82", "\xFF"}) {
    CHECK(belay::find_invalid_utf8(invalid) == 0);
    CHECK(belay::find_invalid_utf8("ab" + std::string(invalid) + "c") == 2);
  }
}

TEST_CASE("printable: nothing that a terminal would obey") {
  CHECK(belay::printable("a\x1B[31m\n\xFF\xC3\xA9") == "a\\x1b[31m\\x0a\\xff\xC3\xA9");
  CHECK(belay::printable(std::string_view("\0\x7F", 2)) == "\\x00\\x7f");
  CHECK(belay::printable("abcdef", 3) == "abc\xE2\x80\xA6");
  CHECK(belay::printable("abc", 3) == "abc");
}

TEST_CASE("edit distance") {
  CHECK(belay::edit_distance("", "") == 0);
  CHECK(belay::edit_distance("abc", "") == 3);
  CHECK(belay::edit_distance("kitten", "sitting") == 3);
  CHECK(belay::edit_distance("avx2", "avx") == 1);
}

TEST_CASE("results carry a value or an error, and the macros pass errors on") {
  CHECK(*quarter(8) == 2);
  CHECK(quarter(6).error().message == "3 is odd");
  CHECK(quarter(7).error().code == ErrorCode::kBadInput);
  CHECK(is_even(2).ok());
  CHECK(is_even(3).error().message == "3 is odd");
  Result<std::unique_ptr<int>> moved = std::make_unique<int>(5);
  const std::unique_ptr<int> taken = *std::move(moved);
  CHECK(*taken == 5);
}

TEST_CASE("every error code has a name of its own") {
  std::set<std::string> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInterrupted); ++code)
    names.insert(belay::to_string(static_cast<ErrorCode>(code)));
  CHECK(names.size() == static_cast<std::size_t>(ErrorCode::kInterrupted) + 1);
}

TEST_CASE("element types: names there and back, sizes of rows") {
  for (const belay::DTypeInfo& row : belay::kDTypes) {
    CHECK(belay::parse_dtype(row.name) == row.dtype);
    CHECK(belay::to_string(row.dtype) == row.name);
    CHECK(belay::row_bytes(row.dtype, row.block_elems) == row.block_bytes);
    CHECK(belay::row_bytes(row.dtype, 0) == 0);
  }
  CHECK(!belay::parse_dtype("Q4_0"));
  CHECK(!belay::parse_dtype(""));
  CHECK(belay::row_bytes(DType::kQ4_0, 576) == 324);
  CHECK(belay::row_bytes(DType::kQ6_K, 512) == 420);
  CHECK(!belay::row_bytes(DType::kQ4_0, 33));
  CHECK(!belay::row_bytes(DType::kI64, kMax));
}

TEST_CASE("sha256 of FIPS 180-2's examples") {
  const auto hash = [](std::string_view text) { return belay::sha256_hex(std::as_bytes(std::span(text))); };
  CHECK(hash("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("log messages go to the sink, and nowhere without one") {
  std::vector<std::string> lines;
  belay::set_log_sink([&](belay::LogLevel level, std::string_view message) {
    lines.push_back(belay::format("{} {}", static_cast<int>(level), message));
  });
  belay::log(belay::LogLevel::kWarn, "{} of {}", 1, 2);
  belay::set_log_sink({});
  belay::log(belay::LogLevel::kError, "lost");
  CHECK(lines == std::vector<std::string>{"3 1 of 2"});
}
