// What lies in the plugin folders: every manifest that was found, and those that are refused for their text
// or their owners. Opens libraries to look at their owner and mode, and loads none. One thread.
#pragma once

#include "core/base/status.hpp"
#include "core/manifest/manifest.hpp"
#include "core/registry/library_file.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace belay::registry {

enum class Origin {
  kBuiltIn,  // comes with Belay; may be absent
  kUser,     // the user's own folder; may be absent, ignored when the process is elevated
  kGiven     // named for this run (--plugin-dir, --manifests); must be there
};

struct SearchFolder {
  std::filesystem::path path;
  Origin origin = Origin::kGiven;
};

// In the order of precedence: of two copies of one plugin the first counts.
struct SearchPath {
  std::vector<SearchFolder> folders;
};

struct CatalogOptions {
  bool plan_only =
      false;  // manifests alone: libraries are neither opened nor required, owners are not asked for
  bool strict = false;  // --strict-manifests: a warning refuses the manifest
  bool elevated = false;
  TrustPolicy trust = trust_current_user();
};

// A manifest whose text and files are in order.
struct Found {
  manifest::Manifest manifest;
  std::filesystem::path folder;        // canonical
  std::filesystem::path library_path;  // where the library is, or would be
  std::optional<LibraryFile> library;  // open, unless plan_only
};

struct Refused {
  Refusal refusal;
  std::string version;         // empty when the manifest did not parse
  std::filesystem::path path;  // of the library, or of a manifest that did not parse
};

struct Catalog {
  std::vector<Found> candidates;  // by the byte-wise order of the manifests' paths in each folder
  std::vector<Refused> refused;
  std::vector<std::string> diagnostics;  // one line each, for people
};

// kUsage when a given folder does not exist or cannot be read. Everything else that is wrong is in `refused`.
[[nodiscard]] Result<Catalog> find_plugins(const SearchPath& search, const CatalogOptions& options);

}  // namespace belay::registry
