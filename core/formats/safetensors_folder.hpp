// The weights of a Hugging Face folder: model.safetensors, or the files that model.safetensors.index.json
// names. Immutable; any thread. Views live as long as the object.
//
// Which files are read: names in the index are plain file names in the folder. A symbolic link there is
// followed only to a file in the folder, or, in a snapshot of the Hugging Face cache (models--x/snapshots/y),
// to one in the cache's folder `blobs`, where its links lead.
#pragma once

#include "core/base/status.hpp"
#include "core/formats/safetensors.hpp"
#include "core/formats/tensor_file.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace belay::formats {

class SafetensorsFolder {
 public:
  // Maps every file. kBadInput, naming file and tensor: neither or both of the two forms are there, a file is
  // missing or broken, the index names a tensor that its file lacks, or a tensor is in two files.
  [[nodiscard]] static Result<SafetensorsFolder> open(const std::filesystem::path& folder);

  // All files together.
  [[nodiscard]] std::uint64_t file_bytes() const;
  // Of a tensor's bytes; nothing when they are in none of these files.
  [[nodiscard]] std::optional<FilePlace> place_of(std::span<const std::byte> bytes) const;

  // Of all files, sorted by name.
  [[nodiscard]] std::span<const TensorView> tensors() const { return tensors_; }
  // The tensor of that name, or null.
  [[nodiscard]] const TensorView* find(std::string_view name) const;

 private:
  std::vector<SafetensorsFile> files_;
  std::vector<TensorView> tensors_;  // views into files_
};

}  // namespace belay::formats
