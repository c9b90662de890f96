// TOML text to Manifest, with a diagnostic for everything that is not as it should be. Pure but for
// load_manifest. Fields, defaults and what bad input costs: manifests/README.md.
#pragma once

#include "core/manifest/diagnostic.hpp"
#include "core/manifest/manifest.hpp"
#include "core/manifest/refusal.hpp"

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace belay::manifest {

struct Parsed {
  std::optional<Manifest> manifest;     // absent after an M
  std::vector<Diagnostic> diagnostics;  // in the order of the checks
  std::optional<Refusal>
      refusal;  // of the first M, under the file's name, else of the first P, under the plugin's id
};

// `file` is where the text came from. With `strict`, what would drop an entry or only warn refuses the
// manifest.
[[nodiscard]] Parsed parse_manifest(std::string_view text, const std::filesystem::path& file,
                                    bool strict = false);

// Reads the file first; one that cannot be read, or is too large, is refused under its name.
[[nodiscard]] Parsed load_manifest(const std::filesystem::path& file, bool strict = false);

}  // namespace belay::manifest
