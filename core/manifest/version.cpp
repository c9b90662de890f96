#include "core/manifest/version.hpp"

#include "core/base/format.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace belay::manifest {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool all_digits(std::string_view text) { return std::all_of(text.begin(), text.end(), is_digit); }

bool is_identifier_char(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

// The text up to the first `separator`; `rest` becomes what follows it, and has no data behind the last part.
std::string_view next_part(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return part;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = problem == std::errc() && end == text.data() + text.size();
  return !text.empty() && is_digit(text[0]) && whole ? std::optional(number) : std::nullopt;
}

std::optional<std::vector<std::uint64_t>> parse_parts(std::string_view text, std::size_t least,
                                                      std::size_t most) {
  const auto count = static_cast<std::size_t>(std::count(text.begin(), text.end(), '.')) + 1;
  if (count < least || count > most) return std::nullopt;
  std::vector<std::uint64_t> parts;
  for (std::size_t i = 0; i < count; ++i) {
    const auto number = parse_number(next_part(text, '.'));
    if (!number) return std::nullopt;
    parts.push_back(*number);
  }
  return parts;
}

bool has_leading_zero(std::string_view digits) { return digits.size() > 1 && digits[0] == '0'; }

// Dot-separated identifiers of semver, none empty; numeric ones of a pre-release have no leading zero.
bool valid_identifiers(std::string_view text, bool zeros_allowed) {
  const auto count = std::count(text.begin(), text.end(), '.') + 1;
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const std::string_view part = next_part(text, '.');
    if (part.empty() || !std::all_of(part.begin(), part.end(), is_identifier_char)) return false;
    if (!zeros_allowed && all_digits(part) && has_leading_zero(part)) return false;
  }
  return true;
}

// Semver: numbers below words, numbers by value, words by bytes.
std::strong_ordering compare_identifier(std::string_view a, std::string_view b) {
  const bool a_number = all_digits(a);
  if (a_number != all_digits(b)) return a_number ? std::strong_ordering::less : std::strong_ordering::greater;
  if (a_number && a.size() != b.size()) return a.size() <=> b.size();
  return a.compare(b) <=> 0;
}

std::strong_ordering compare_prerelease(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return a.empty() <=> b.empty();  // without one is the later version
  while (!a.empty() && !b.empty()) {
    const auto order = compare_identifier(next_part(a, '.'), next_part(b, '.'));
    if (std::is_neq(order)) return order;
  }
  return b.empty() <=> a.empty();  // more identifiers are later
}

struct Operator {
  std::string_view text;
  Comparison comparison;
};
// The longer ones first, so that "<=" is not read as "<".
constexpr std::array<Operator, 6> kOperators = {{{"!=", Comparison::kNotEqual},
                                                 {"<=", Comparison::kLessEqual},
                                                 {">=", Comparison::kGreaterEqual},
                                                 {"<", Comparison::kLess},
                                                 {">", Comparison::kGreater},
                                                 {"=", Comparison::kEqual}}};

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::optional<VersionRange::Bound> parse_bound(std::string_view text) {
  text = trim(text);
  for (const Operator& op : kOperators) {
    if (!text.starts_with(op.text)) continue;
    const std::string_view number = trim(text.substr(op.text.size()));
    auto version = parse_version(number);
    if (!version) version = parse_semver(number);
    if (!version) return std::nullopt;
    return VersionRange::Bound{op.comparison, *std::move(version)};
  }
  return std::nullopt;
}

bool holds(const VersionRange::Bound& bound, const Version& version) {
  switch (bound.comparison) {
    case Comparison::kEqual:
      return version == bound.version;
    case Comparison::kNotEqual:
      return version != bound.version;
    case Comparison::kLess:
      return version < bound.version;
    case Comparison::kLessEqual:
      return version <= bound.version;
    case Comparison::kGreater:
      return version > bound.version;
    case Comparison::kGreaterEqual:
      return version >= bound.version;
  }
  return false;
}

bool bounds_below(Comparison c) {
  return c == Comparison::kEqual || c == Comparison::kGreater || c == Comparison::kGreaterEqual;
}
bool bounds_above(Comparison c) {
  return c == Comparison::kEqual || c == Comparison::kLess || c == Comparison::kLessEqual;
}

// Between two different versions there is always a third (another component), so only the highest lower bound
// and the lowest upper bound matter. Where they meet, that one version has to satisfy every bound.
bool satisfiable(const VersionRange& range) {
  const Version zero{{0}, ""};
  const Version* low = &zero;
  const Version* high = nullptr;
  for (const auto& [comparison, version] : range.bounds) {
    if (bounds_below(comparison) && version > *low) low = &version;
    if (bounds_above(comparison) && (high == nullptr || version < *high)) high = &version;
  }
  if (high == nullptr || *low < *high) return true;
  return *low == *high && range.contains(*low);
}

}  // namespace

std::string Version::text() const {
  const std::string numbers = format("{}", join(parts, "."));
  return prerelease.empty() ? numbers : numbers + "-" + prerelease;
}

std::strong_ordering operator<=>(const Version& a, const Version& b) {
  const auto part = [](const Version& version, std::size_t i) {
    return i < version.parts.size() ? version.parts[i] : std::uint64_t{0};
  };
  for (std::size_t i = 0; i < std::max(a.parts.size(), b.parts.size()); ++i) {
    if (part(a, i) != part(b, i)) return part(a, i) <=> part(b, i);
  }
  return compare_prerelease(a.prerelease, b.prerelease);
}

bool operator==(const Version& a, const Version& b) { return std::is_eq(a <=> b); }

std::optional<Version> parse_version(std::string_view text) {
  auto parts = parse_parts(text, 1, 4);
  if (!parts) return std::nullopt;
  return Version{*std::move(parts), ""};
}

std::optional<Version> parse_semver(std::string_view text) {
  constexpr std::size_t kMaxBytes = 64;
  if (text.size() > kMaxBytes) return std::nullopt;
  const std::size_t plus = text.find('+');
  if (plus != std::string_view::npos && !valid_identifiers(text.substr(plus + 1), true)) return std::nullopt;
  text = text.substr(0, plus);
  const std::size_t dash = text.find('-');
  if (dash != std::string_view::npos && !valid_identifiers(text.substr(dash + 1), false)) return std::nullopt;
  std::string_view core = text.substr(0, dash);
  auto parts = parse_parts(core, 3, 3);
  if (!parts) return std::nullopt;
  for (int i = 0; i < 3; ++i) {
    if (has_leading_zero(next_part(core, '.'))) return std::nullopt;
  }
  const std::string_view prerelease =
      dash == std::string_view::npos ? std::string_view() : text.substr(dash + 1);
  return Version{*std::move(parts), std::string(prerelease)};
}

bool VersionRange::contains(const Version& version) const {
  return std::all_of(bounds.begin(), bounds.end(), [&](const Bound& bound) { return holds(bound, version); });
}

std::string VersionRange::text() const {
  std::vector<std::string> words;
  for (const Bound& bound : bounds) {
    const auto* op = std::find_if(kOperators.begin(), kOperators.end(),
                                  [&](const Operator& o) { return o.comparison == bound.comparison; });
    words.push_back(std::string(op->text) + bound.version.text());
  }
  return format("{}", join(words, ", "));
}

std::optional<VersionRange> parse_range(std::string_view text) {
  VersionRange range;
  const auto count = std::count(text.begin(), text.end(), ',') + 1;
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    auto bound = parse_bound(next_part(text, ','));
    if (!bound) return std::nullopt;
    range.bounds.push_back(*std::move(bound));
  }
  return satisfiable(range) ? std::optional(std::move(range)) : std::nullopt;
}

}  // namespace belay::manifest
