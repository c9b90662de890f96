// Folders, files, plugins and machines for the tests of core/registry.
#pragma once

#include "core/registry/registry.hpp"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belay::registry::test {

// A folder of its own under the temporary folder, gone with the object.
class TempDir {
 public:
  TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

[[nodiscard]] std::vector<std::byte> bytes_of(const std::filesystem::path& file);
void write(const std::filesystem::path& file, std::span<const std::byte> bytes);
void write(const std::filesystem::path& file, std::string_view text);

// The folder of a plugin that the build made (tests/core/registry/test_plugin.c).
[[nodiscard]] std::filesystem::path built(std::string_view id);
[[nodiscard]] std::filesystem::path library_of(const std::filesystem::path& folder, std::string_view id);
// Copies library and manifest of a built plugin into `folder`.
void install(std::string_view id, const std::filesystem::path& folder);
// The manifest of a built plugin.
[[nodiscard]] manifest::Manifest manifest_of(std::string_view id);

// Somebody whom `path` does not belong to: changes its owner where that is allowed, else the one that is
// trusted.
[[nodiscard]] TrustPolicy make_foreign(const std::filesystem::path& path);

[[nodiscard]] hardware::Profile profile();
[[nodiscard]] SelfLauncher launcher();
// Options that look into one folder, with no cache.
[[nodiscard]] RegistryOptions options(const std::filesystem::path& folder);

// "trust/BAD_ELF"
[[nodiscard]] std::string code(const Objection& objection);
[[nodiscard]] std::string code(const Refusal& refusal);
// "usable", or the code of the one refusal that a registry gives for a folder.
[[nodiscard]] std::string verdict_on(const RegistryOptions& options);

}  // namespace belay::registry::test
