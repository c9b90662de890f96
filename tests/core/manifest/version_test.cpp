#include "core/manifest/version.hpp"

#include "tests/support/doctest.hpp"

#include <random>
#include <string>
#include <vector>

using namespace belay::manifest;  // NOLINT(google-build-using-namespace)

namespace {

Version version(std::string_view text) {
  auto parsed = parse_version(text);
  if (!parsed) parsed = parse_semver(text);
  REQUIRE(parsed.has_value());
  return *parsed;
}

// 0 to 3 in one to three components, and now and then a pre-release.
Version random_version(std::mt19937& random) {
  Version out;
  const auto count = 1 + random() % 3;
  for (std::uint32_t i = 0; i < count; ++i) out.parts.push_back(random() % 4);
  constexpr const char* kPre[] = {"", "", "", "alpha", "alpha.1", "alpha.10", "2", "rc.1"};
  out.prerelease = kPre[random() % 8];
  return out;
}

}  // namespace

TEST_CASE("plain versions") {
  CHECK(version("6.10") > version("6.9"));
  CHECK(version("6") == version("6.0.0"));
  CHECK(version("535.183.01") == version("535.183.1"));
  CHECK(version("18446744073709551615").parts[0] == 18446744073709551615U);
  for (const char* text : {"", ".", "1.", ".1", "1..2", "1.2.3.4.5", "a", "1a", "-1", "+1", " 1", "1 ",
                           "18446744073709551616", "1.-2", "0x1"}) {
    CAPTURE(text);
    CHECK(!parse_version(text));
  }
}

TEST_CASE("semantic versions, in the order that semver.org gives as its example") {
  const char* ordered[] = {"1.0.0-alpha",
                           "1.0.0-alpha.1",
                           "1.0.0-alpha.beta",
                           "1.0.0-beta",
                           "1.0.0-beta.2",
                           "1.0.0-beta.11",
                           "1.0.0-rc.1",
                           "1.0.0",
                           "1.0.1",
                           "1.10.0",
                           "2.0.0-99999999999999999999999"};
  for (std::size_t i = 0; i + 1 < std::size(ordered); ++i) {
    CAPTURE(ordered[i]);
    CHECK(*parse_semver(ordered[i]) < *parse_semver(ordered[i + 1]));
  }
  CHECK(*parse_semver("1.2.3+build.01") == *parse_semver("1.2.3"));
  CHECK(parse_semver("1.2.3-a-b.c--d")->text() == "1.2.3-a-b.c--d");
  CHECK(parse_semver("1.2.3-" + std::string(58, 'a')).has_value());
  CHECK(!parse_semver("1.2.3-" + std::string(59, 'a')));
  for (const char* text : {"1", "1.2", "1.2.3.4", "01.2.3", "1.02.3", "1.2.3-", "1.2.3-a..b", "1.2.3-01",
                           "1.2.3+", "1.2.3-a_b", "v1.2.3", "1.2.3 "}) {
    CAPTURE(text);
    CHECK(!parse_semver(text));
  }
}

TEST_CASE("ranges") {
  CHECK(parse_range(">=6.1, <9")->contains(version("8.6")));
  CHECK(!parse_range(">=6.1, <9")->contains(version("9")));
  CHECK(parse_range(">= 6.1 ,!=7")->text() == ">=6.1, !=7");
  CHECK(parse_range("=1.0")->contains(version("1")));
  CHECK(parse_range(">=0.3.0-rc.1")->contains(version("0.3.0")));
  CHECK(parse_range(">6.9")->contains(version("6.10")));
  CHECK(VersionRange{}.contains(version("0.0.1")));
  for (const char* text : {"", ",", ">=", "6.1", "==6", ">=6,", ">=6 <7", "~6", ">=x", ">=7, <6", ">6, <6",
                           ">=6, <6", "=6, !=6.0", "=6, =7", "<0", "<0.0", "=6, >6", "<=5, >=6"}) {
    CAPTURE(text);
    CHECK(!parse_range(text));
  }
}

TEST_CASE("property: the order is total and agrees with itself") {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    const Version a = random_version(random);
    const Version b = random_version(random);
    const Version c = random_version(random);
    // NOLINTBEGIN(modernize-use-nullptr): 0 is what an ordering is compared with
    CHECK((a <=> b) == (0 <=> (b <=> a)));
    CHECK((a == b) == ((a <=> b) == 0));
    // NOLINTEND(modernize-use-nullptr)
    if (a < b && b < c) CHECK(a < c);
    CHECK(version(a.prerelease.empty() ? a.text() : "0").parts.size() > 0);
    if (a.prerelease.empty()) CHECK(version(a.text()) == a);
  }
}

TEST_CASE("property: a range is refused exactly when no version satisfies it, and its text means the same") {
  std::mt19937 random(11);
  std::vector<Version> grid;  // also between and beyond the versions that the ranges name
  for (std::uint64_t major = 0; major < 6; ++major) {
    for (std::uint64_t minor = 0; minor < 6; ++minor) {
      for (std::uint64_t patch = 0; patch < 2; ++patch) grid.push_back({{major, minor, patch}, ""});
    }
  }
  constexpr const char* kOperators[] = {"=", "!=", "<", "<=", ">", ">="};
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    for (std::uint32_t n = 0; n <= random() % 4; ++n) {
      text += (text.empty() ? "" : ", ") + std::string(kOperators[random() % 6]) +
              std::to_string(random() % 5) + "." + std::to_string(random() % 5);
    }
    CAPTURE(text);
    const auto range = parse_range(text);
    bool any = false;
    for (const Version& candidate : grid) any = any || (range && range->contains(candidate));
    CHECK(any == range.has_value());
    if (range) {
      const auto again = parse_range(range->text());
      REQUIRE(again.has_value());
      for (const Version& candidate : grid) CHECK(again->contains(candidate) == range->contains(candidate));
    }
  }
}
