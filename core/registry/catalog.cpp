#include "core/registry/catalog.hpp"

#include "core/base/format.hpp"
#include "core/manifest/cross_check.hpp"
#include "core/manifest/diagnostic.hpp"
#include "core/manifest/parse.hpp"

#include <algorithm>
#include <system_error>

namespace belay::registry {
namespace {

namespace fs = std::filesystem;

// The *.toml files of a folder, sorted byte by byte so that the order depends on nothing else.
Result<std::vector<fs::path>> manifests_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".toml") files.push_back(entry->path());
  }
  if (error)
    return fail(ErrorCode::kUsage, "{}: cannot read the folder: {}", folder.string(), error.message());
  std::sort(files.begin(), files.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
  return files;
}

class Search {
 public:
  explicit Search(const CatalogOptions& options) : options_(options) {}

  Status visit(const SearchFolder& folder) {
    if (folder.origin == Origin::kUser && options_.elevated) return {};
    std::error_code error;
    const fs::path canonical = fs::canonical(folder.path, error);
    if (error || !fs::is_directory(canonical, error)) {
      if (folder.origin != Origin::kGiven) return {};
      return fail(ErrorCode::kUsage, "{}: there is no such folder; give a folder with manifests (*.toml)",
                  folder.path.string());
    }
    if (std::find(seen_.begin(), seen_.end(), canonical) != seen_.end()) return {};
    seen_.push_back(canonical);
    BELAY_TRY_ASSIGN(const auto files, manifests_in(canonical));
    const auto distrust = options_.plan_only ? std::nullopt : distrust_folder(canonical, options_.trust);
    for (const fs::path& file : files) take(file, canonical, distrust);
    return {};
  }

  Catalog finish() {
    drop_copies();
    return std::move(catalog_);
  }

 private:
  void take(const fs::path& file, const fs::path& folder, const std::optional<Objection>& folder_distrust) {
    auto parsed = manifest::load_manifest(file, options_.strict);
    for (const auto& diagnostic : parsed.diagnostics) catalog_.diagnostics.push_back(diagnostic.text(file));
    if (!parsed.manifest) return refuse_text(file, std::move(parsed.refusal));
    const fs::path library = folder / parsed.manifest->library;
    Found found{*std::move(parsed.manifest), folder, library, std::nullopt};
    if (parsed.refusal) return refuse(found, *std::move(parsed.refusal));
    if (!options_.plan_only) {
      if (auto objection = open_library(file, folder_distrust, found)) {
        return refuse(found, refusal(found.manifest.id, *std::move(objection)));
      }
    }
    catalog_.candidates.push_back(std::move(found));
  }

  std::optional<Objection> open_library(const fs::path& file, const std::optional<Objection>& folder_distrust,
                                        Found& found) const {
    if (folder_distrust) return folder_distrust;
    if (auto objection = distrust_manifest(file, options_.trust)) return objection;
    auto library = LibraryFile::open(found.folder, found.manifest.library, options_.trust);
    if (!library) return std::move(library).objection();
    found.library = std::move(library).value();
    return std::nullopt;
  }

  void refuse_text(const fs::path& file, std::optional<Refusal> refusal) {
    if (!refusal)
      refusal = Refusal{file.filename().string(), Stage::kParse, std::string(reason::kBadManifest), ""};
    catalog_.refused.push_back({*std::move(refusal), "", file});
  }

  void refuse(const Found& found, Refusal refusal) {
    catalog_.refused.push_back({std::move(refusal), found.manifest.version.text(), found.library_path});
  }

  // Of one id and version, equal copies count once and different ones not at all.
  void drop_copies() {
    std::vector<manifest::Manifest> manifests;
    for (const Found& found : catalog_.candidates) manifests.push_back(found.manifest);
    std::vector<bool> dropped(manifests.size(), false);
    for (const auto& finding : manifest::cross_check(manifests)) {
      const Found& found = catalog_.candidates[finding.index];
      catalog_.diagnostics.push_back(
          format("{}: {} {}", found.manifest.file.string(), finding.reason, finding.message));
      if (finding.severity == manifest::severity::kPlugin) {
        refuse(found, {found.manifest.id, Stage::kParse, finding.reason, finding.message});
      }
      if (finding.severity == manifest::severity::kPlugin || finding.reason == "COPY")
        dropped[finding.index] = true;
    }
    std::vector<Found> kept;
    for (std::size_t i = 0; i < dropped.size(); ++i) {
      if (!dropped[i]) kept.push_back(std::move(catalog_.candidates[i]));
    }
    catalog_.candidates = std::move(kept);
  }

  const CatalogOptions& options_;
  std::vector<fs::path> seen_;
  Catalog catalog_;
};

}  // namespace

Result<Catalog> find_plugins(const SearchPath& search, const CatalogOptions& options) {
  Search all(options);
  for (const SearchFolder& folder : search.folders) BELAY_TRY(all.visit(folder));
  return all.finish();
}

}  // namespace belay::registry
