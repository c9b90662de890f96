// A single safetensors file: tensors as views into the mapping, and its `__metadata__`. The format's own
// safety rules are checked when it is opened: bounded header, no duplicate names, data packed without holes
// or overlaps. Immutable; any thread. Views live as long as the object (or the bytes given to `parse`).
#pragma once

#include "core/base/mapped_file.hpp"
#include "core/base/status.hpp"
#include "core/formats/tensor_file.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belay::formats {

class SafetensorsFile {
 public:
  // Maps the file and owns the mapping. A broken or unsupported file is kBadInput with file and reason.
  [[nodiscard]] static Result<SafetensorsFile> open(const std::filesystem::path& path);
  // The same over bytes that the caller keeps alive; `name` stands for the file in messages.
  [[nodiscard]] static Result<SafetensorsFile> parse(std::span<const std::byte> bytes, std::string_view name);

  [[nodiscard]] std::uint64_t file_bytes() const { return file_bytes_; }
  // Of a tensor's bytes; nothing when they are not in this file.
  [[nodiscard]] std::optional<FilePlace> place_of(std::span<const std::byte> bytes) const {
    return mapping_.place_of(bytes);
  }

  // Sorted by name. An empty shape is a scalar; a dimension may be 0.
  [[nodiscard]] std::span<const TensorView> tensors() const { return tensors_; }
  [[nodiscard]] const TensorView* find(std::string_view name) const;

  // `__metadata__`, in the order of the file.
  [[nodiscard]] std::span<const std::pair<std::string, std::string>> attributes() const {
    return attributes_;
  }
  [[nodiscard]] std::optional<std::string_view> attribute(std::string_view key) const;

 private:
  MappedFile mapping_;
  std::uint64_t file_bytes_ = 0;
  std::vector<std::string> names_;  // what the views' names point to
  std::vector<TensorView> tensors_;
  std::vector<std::pair<std::string, std::string>> attributes_;
};

}  // namespace belay::formats
