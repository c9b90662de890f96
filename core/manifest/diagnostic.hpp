// What is wrong with a manifest, where, and what follows from it.
#pragma once

#include "core/base/toml.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace belay::manifest {

// What a finding costs.
namespace severity {
inline constexpr char kManifest = 'M';  // the whole manifest is refused
inline constexpr char kPlugin = 'P';    // the plugin is excluded, with a reason
inline constexpr char kEntry = 'E';     // that entry is dropped
inline constexpr char kWarning = 'W';   // nothing; the message says what was done instead
}  // namespace severity

namespace finding {
inline constexpr std::string_view kSyntax = "SYNTAX";          // not TOML, or beyond the limits of a manifest
inline constexpr std::string_view kUnreadable = "UNREADABLE";  // the file cannot be read
inline constexpr std::string_view kNewerSchema = "NEWER_SCHEMA";
inline constexpr std::string_view kMissing = "MISSING";
inline constexpr std::string_view kType = "TYPE";    // a string where an integer belongs, and so on
inline constexpr std::string_view kRange = "RANGE";  // a number or a count outside its limits
inline constexpr std::string_view kValue = "VALUE";  // the right type and a text that means nothing
inline constexpr std::string_view kVersionRange = "VERSION_RANGE";
inline constexpr std::string_view kSelf = "SELF";  // it refers to itself
inline constexpr std::string_view kDuplicate = "DUPLICATE";
inline constexpr std::string_view kRounded = "ROUNDED";
inline constexpr std::string_view kUnknownKey = "UNKNOWN_KEY";
inline constexpr std::string_view kUnknownDtype = "UNKNOWN_DTYPE";
inline constexpr std::string_view kNothingProvided = "NOTHING_PROVIDED";
}  // namespace finding

struct Diagnostic {
  char severity = severity::kWarning;
  std::string code;
  toml::Position at;
  std::string key_path;  // "requires.cpu.features[2]"
  std::string message;   // what was found and what is allowed

  // "dir/x.toml:3:8: RANGE select.priority: found 2000; ... The manifest is refused."
  [[nodiscard]] std::string text(const std::filesystem::path& file) const;
};

// Collects what the readers find. With `strict`, entries and warnings cost the whole manifest.
class Findings {
 public:
  explicit Findings(bool strict) : strict_(strict) {}

  void add(char severity, std::string_view code, toml::Position at, std::string key_path,
           std::string message);

  // How many findings so far are worse than a warning: when it grew while an entry was read, the entry is
  // dropped.
  [[nodiscard]] std::size_t faults() const { return faults_; }
  [[nodiscard]] const std::vector<Diagnostic>& all() const { return all_; }
  [[nodiscard]] std::vector<Diagnostic> take() { return std::move(all_); }

 private:
  bool strict_;
  std::size_t faults_ = 0;
  std::vector<Diagnostic> all_;
};

}  // namespace belay::manifest
