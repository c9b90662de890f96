#include "core/manifest/diagnostic.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"

namespace belay::manifest {
namespace {

std::string_view consequence(char severity) {
  switch (severity) {
    case severity::kManifest:
      return " The manifest is refused.";
    case severity::kPlugin:
      return " The plugin is excluded.";
    case severity::kEntry:
      return " The entry is dropped.";
    default:
      return "";
  }
}

}  // namespace

std::string Diagnostic::text(const std::filesystem::path& file) const {
  const std::string place = key_path.empty() ? "" : " " + printable(key_path, 200);
  return format("{}:{}:{}: {}{}: {}.{}", printable(file.string(), 400), at.line, at.column, code, place,
                message, consequence(severity));
}

void Findings::add(char severity, std::string_view code, toml::Position at, std::string key_path,
                   std::string message) {
  if (severity != severity::kWarning) ++faults_;
  const bool raised = strict_ && (severity == severity::kEntry || severity == severity::kWarning);
  all_.push_back({raised ? severity::kManifest : severity, std::string(code), at, std::move(key_path),
                  std::move(message)});
}

}  // namespace belay::manifest
