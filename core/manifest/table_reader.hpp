// Reads one TOML table by known keys: checks types and limits, collects findings, and reports every key that
// nobody asked for. Lives as long as the parsed document.
#pragma once

#include "core/base/toml.hpp"
#include "core/manifest/diagnostic.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belay::manifest {

// "integer 5", "string "x"", "array of 3": what stands there, for a message.
[[nodiscard]] std::string found(const toml::Value& value);

class TableReader {
 public:
  TableReader(const toml::Table& table, std::string path, toml::Position at, Findings& findings)
      : table_(table), path_(std::move(path)), at_(at), findings_(findings) {}

  // The value under `key`, which is known from now on; null when absent. `require` reports that as M.
  const toml::Value* get(std::string_view key);
  const toml::Value* require(std::string_view key);

  // Nothing when the key is absent, or present and bad, which is then a finding of `severity`.
  const std::string* string(std::string_view key, char severity = severity::kManifest);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most,
                                      char severity = severity::kManifest);
  std::optional<bool> boolean(std::string_view key, char severity = severity::kManifest);
  std::optional<double> number(std::string_view key, char severity = severity::kManifest);
  // An array of strings with at most `most` elements; empty when absent or bad.
  std::span<const toml::Value> strings(std::string_view key, std::size_t most,
                                       char severity = severity::kManifest);
  std::span<const toml::Value> array(std::string_view key, std::size_t most,
                                     char severity = severity::kManifest);
  // The index of the string among `names`.
  std::optional<std::size_t> choice(std::string_view key, std::span<const std::string_view> names,
                                    char severity = severity::kManifest);
  // Text for people: without control characters, cut to `limit` bytes. A wrong type or length is a warning.
  std::string display(std::string_view key, std::size_t limit = 1024);

  // Calls `read` for the table, or for each table of the array, under `key`, and reports the keys it did not
  // ask for. Returns whether there is one.
  using Read = std::function<void(TableReader&)>;
  bool table(std::string_view key, const Read& read);
  bool tables(std::string_view key, const Read& read);

  // Every key that was not asked for, unless it begins with "x-", is a warning.
  void report_unknown_keys();

  [[nodiscard]] toml::Position at() const { return at_; }
  [[nodiscard]] std::string path(std::string_view key) const;
  [[nodiscard]] Findings& findings() { return findings_; }
  void add(char severity, std::string_view code, std::string_view key, toml::Position at,
           std::string message);

 private:
  void wrong_type(char severity, std::string_view key, const toml::Value& value, std::string_view allowed);

  const toml::Table& table_;
  std::string path_;
  toml::Position at_;
  Findings& findings_;
  std::vector<std::string_view> known_;
};

}  // namespace belay::manifest
