// A GGUF file (version 2 or 3, little endian): typed metadata and tensors as views into the mapped file.
// Every rule of the format is checked when it is opened, so whatever is returned afterwards lies inside the
// file. Immutable; any thread. Views live as long as the object (or the bytes given to `parse`).
#pragma once

#include "core/base/mapped_file.hpp"
#include "core/base/status.hpp"
#include "core/formats/gguf_metadata.hpp"
#include "core/formats/tensor_file.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belay::formats {

class GgufFile {
 public:
  // Maps the file and owns the mapping. A broken or unsupported file is kBadInput with file, offset and
  // reason.
  [[nodiscard]] static Result<GgufFile> open(const std::filesystem::path& path);
  // The same over bytes that the caller keeps alive; `name` stands for the file in messages.
  [[nodiscard]] static Result<GgufFile> parse(std::span<const std::byte> bytes, std::string_view name);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::uint64_t file_bytes() const { return file_bytes_; }
  // Of a tensor's bytes; nothing when they are not in this file.
  [[nodiscard]] std::optional<FilePlace> place_of(std::span<const std::byte> bytes) const {
    return mapping_.place_of(bytes);
  }
  [[nodiscard]] std::uint32_t version() const { return version_; }

  // In the order of the file.
  [[nodiscard]] std::span<const TensorView> tensors() const { return tensors_; }
  // The tensor of that name, or null.
  [[nodiscard]] const TensorView* find(std::string_view name) const;

  [[nodiscard]] bool has(std::string_view key) const { return metadata_.find(key) != nullptr; }
  [[nodiscard]] const GgufMetadata& metadata() const { return metadata_; }

  // The value of a key. kBadInput naming file and key when it is missing, has another type or does not fit.
  // Any integer type of the file is taken when the value fits; floating point, bool and integers are never
  // converted to each other.
  [[nodiscard]] Result<std::uint32_t> get_u32(std::string_view key) const;
  [[nodiscard]] Result<std::uint64_t> get_u64(std::string_view key) const;
  [[nodiscard]] Result<std::int64_t> get_i64(std::string_view key) const;
  [[nodiscard]] Result<float> get_f32(std::string_view key) const;
  [[nodiscard]] Result<bool> get_bool(std::string_view key) const;
  // The bytes as the file has them: not checked to be UTF-8.
  [[nodiscard]] Result<std::string_view> get_string(std::string_view key) const;
  [[nodiscard]] Result<std::vector<std::string_view>> get_strings(std::string_view key) const;
  [[nodiscard]] Result<std::vector<std::int32_t>> get_i32s(std::string_view key) const;
  [[nodiscard]] Result<std::vector<float>> get_f32s(std::string_view key) const;
  [[nodiscard]] Result<std::vector<bool>> get_bools(std::string_view key) const;

  // The same for keys that may be missing: `fallback` then. A value of a wrong type stays an error.
  [[nodiscard]] Result<std::uint32_t> get_u32_or(std::string_view key, std::uint32_t fallback) const;
  [[nodiscard]] Result<float> get_f32_or(std::string_view key, float fallback) const;
  [[nodiscard]] Result<bool> get_bool_or(std::string_view key, bool fallback) const;
  [[nodiscard]] Result<std::string_view> get_string_or(std::string_view key, std::string_view fallback) const;

 private:
  MappedFile mapping_;
  std::string name_;
  std::uint64_t file_bytes_ = 0;
  std::uint32_t version_ = 0;
  GgufMetadata metadata_;
  std::vector<TensorView> tensors_;
  std::vector<std::uint32_t> by_name_;  // indices into tensors_, sorted by name
};

}  // namespace belay::formats
