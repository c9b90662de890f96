#include "core/formats/safetensors_folder.hpp"

#include "core/base/format.hpp"
#include "core/base/mapped_file.hpp"
#include "core/base/text.hpp"
#include "core/formats/safetensors_index.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <system_error>
#include <tuple>

namespace belay::formats {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSingle = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";

std::string shown(const fs::path& path) { return printable(path.string(), 400); }

// A broken link is there, too: that its target is missing is a better message than that nothing is there.
bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

Error nothing_to_read(const fs::path& folder) {
  std::error_code no_folder;
  if (!fs::is_directory(folder, no_folder))
    return fail(ErrorCode::kBadInput, "{}: not a folder with a model", shown(folder));
  constexpr std::array<std::string_view, 2> kPickled = {"pytorch_model.bin", "pytorch_model.bin.index.json"};
  const auto is_pickled = [&](std::string_view name) { return is_there(folder / name); };
  if (std::any_of(kPickled.begin(), kPickled.end(), is_pickled)) {
    return fail(ErrorCode::kBadInput,
                "{}: the weights are in pytorch_model.bin; only safetensors is read: fetch the model's "
                "safetensors files, or save it with safe_serialization=True",
                shown(folder));
  }
  return fail(ErrorCode::kBadInput, "{}: has neither {} nor {}; fetch the whole model", shown(folder),
              kSingle, kIndex);
}

// The file behind a name of the folder, or why it is not read.
Result<fs::path> resolve(const fs::path& folder, std::string_view name) {
  const fs::path path = folder / name;
  if (!is_there(path))
    return fail(ErrorCode::kBadInput, "{}: is missing; the download may be incomplete: fetch it again",
                shown(path));
  std::error_code broken;
  const fs::path target = fs::canonical(path, broken);
  if (broken) {
    return fail(ErrorCode::kBadInput,
                "{}: leads to no file ({}); the download may be incomplete: fetch it again", shown(path),
                broken.message());
  }
  const fs::path home = fs::canonical(folder, broken);
  const fs::path snapshots = home.parent_path();
  const bool is_blob =
      snapshots.filename() == "snapshots" && target.parent_path() == snapshots.parent_path() / "blobs";
  if (target.parent_path() == home || is_blob) return target;
  return fail(ErrorCode::kBadInput, "{}: leads out of the folder, to {}; copy the file into the folder",
              shown(path), shown(target));
}

// Its tensors and messages go by the name in the folder, not by that of a blob.
Result<SafetensorsFile> open_file(const fs::path& folder, std::string_view name) {
  BELAY_TRY(resolve(folder, name));
  return SafetensorsFile::open(folder / name);
}

Result<SafetensorsIndex> read_index(const fs::path& folder) {
  BELAY_TRY_ASSIGN(const fs::path target, resolve(folder, kIndex));
  BELAY_TRY_ASSIGN(const MappedFile mapping, MappedFile::open(target));
  const auto bytes = mapping.bytes();
  return parse_safetensors_index({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                                 (folder / kIndex).string());
}

Status check_complete(const SafetensorsIndex& index, std::span<const SafetensorsFile> files,
                      const fs::path& folder) {
  for (const SafetensorsIndex::Entry& entry : index.entries) {
    if (files[entry.shard].find(entry.tensor) != nullptr) continue;
    return fail(ErrorCode::kBadInput, "{}: lacks the tensor '{}' that {} says it has; fetch both again",
                shown(folder / index.shards[entry.shard]), printable(entry.tensor), kIndex);
  }
  return {};
}

struct Owned {
  const TensorView* tensor;
  std::size_t file;
};

// All tensors, sorted by name, then by file.
std::vector<Owned> collect(std::span<const SafetensorsFile> files) {
  std::vector<Owned> all;
  for (std::size_t file = 0; file < files.size(); ++file) {
    for (const TensorView& tensor : files[file].tensors()) all.push_back({&tensor, file});
  }
  std::sort(all.begin(), all.end(), [](const Owned& a, const Owned& b) {
    return std::tie(a.tensor->name, a.file) < std::tie(b.tensor->name, b.file);
  });
  return all;
}

}  // namespace

Result<SafetensorsFolder> SafetensorsFolder::open(const fs::path& folder) {
  const bool has_single = is_there(folder / kSingle);
  const bool has_index = is_there(folder / kIndex);
  if (has_single && has_index) {
    return fail(ErrorCode::kBadInput,
                "{}: has both {} and {}; remove the one that does not belong to the model", shown(folder),
                kSingle, kIndex);
  }
  if (!has_single && !has_index) return nothing_to_read(folder);
  SafetensorsIndex index = {{std::string(kSingle)}, {}};
  if (has_index) {
    BELAY_TRY_ASSIGN(index, read_index(folder));
  }
  SafetensorsFolder opened;
  for (const std::string& shard : index.shards) {
    BELAY_TRY_ASSIGN(SafetensorsFile file, open_file(folder, shard));
    opened.files_.push_back(std::move(file));
  }
  BELAY_TRY(check_complete(index, opened.files_, folder));
  std::vector<Owned> all = collect(opened.files_);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const TensorView& tensor = *all[i].tensor;
    if (i > 0 && tensor.name == all[i - 1].tensor->name) {
      return fail(ErrorCode::kBadInput, "{}: the tensor '{}' is in {} and in {}", shown(folder),
                  printable(tensor.name), index.shards[all[i - 1].file], index.shards[all[i].file]);
    }
    opened.tensors_.push_back(tensor);
  }
  return opened;
}

std::uint64_t SafetensorsFolder::file_bytes() const {
  std::uint64_t bytes = 0;
  for (const SafetensorsFile& file : files_) bytes += file.file_bytes();
  return bytes;
}

std::optional<FilePlace> SafetensorsFolder::place_of(std::span<const std::byte> bytes) const {
  for (const SafetensorsFile& file : files_) {
    if (auto place = file.place_of(bytes)) return place;
  }
  return std::nullopt;
}

const TensorView* SafetensorsFolder::find(std::string_view name) const {
  const auto at = std::lower_bound(
      tensors_.begin(), tensors_.end(), name,
      [](const TensorView& tensor, std::string_view wanted) { return tensor.name < wanted; });
  return at != tensors_.end() && at->name == name ? &*at : nullptr;
}

}  // namespace belay::formats
