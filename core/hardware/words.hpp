// Lines, words and numbers of the small text files under /proc and /sys.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace belay::hardware {

// The non-empty pieces between `separators`.
[[nodiscard]] inline std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    if (end > 0) out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

[[nodiscard]] inline std::vector<std::string_view> lines(std::string_view text) { return split(text, "\n"); }
[[nodiscard]] inline std::vector<std::string_view> words(std::string_view text) {
  return split(text, " \t\n");
}

// The whole text as a decimal number that fits, or nothing.
[[nodiscard]] inline std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// The first word of the text as a number.
[[nodiscard]] inline std::optional<std::uint64_t> first_number(std::string_view text) {
  const auto all = words(text);
  return all.empty() ? std::nullopt : number(all.front());
}

}  // namespace belay::hardware
