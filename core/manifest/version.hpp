// Versions and ranges of versions, compared numerically component by component ("6.10" is above "6.9").
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::manifest {

// Dot-separated numbers, and for a semantic version a pre-release part ("0.3.1-rc.2"), which sorts below the
// same version without one. Missing components count as 0: "6" equals "6.0".
struct Version {
  std::vector<std::uint64_t> parts;
  std::string prerelease;

  [[nodiscard]] std::string text() const;
  friend std::strong_ordering operator<=>(const Version& a, const Version& b);
  friend bool operator==(const Version& a, const Version& b);
};

// Dotted numbers of 1 to 4 components: "6.1", "535.183.01".
[[nodiscard]] std::optional<Version> parse_version(std::string_view text);
// Strictly MAJOR.MINOR.PATCH with an optional -pre.release and an ignored +build, at most 64 bytes.
[[nodiscard]] std::optional<Version> parse_semver(std::string_view text);

enum class Comparison { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };

// Bounds joined by AND; no bounds means any version.
struct VersionRange {
  struct Bound {
    Comparison comparison = Comparison::kEqual;
    Version version;
  };
  std::vector<Bound> bounds;

  [[nodiscard]] bool any() const { return bounds.empty(); }
  [[nodiscard]] bool contains(const Version& version) const;
  [[nodiscard]] std::string text() const;
};

// Bounds separated by commas, each with an operator = != < <= > >=: ">=6.1, <9". Nothing for bad syntax, an
// empty range or one that no version can satisfy.
[[nodiscard]] std::optional<VersionRange> parse_range(std::string_view text);

}  // namespace belay::manifest
