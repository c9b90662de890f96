#include "core/formats/gguf.hpp"

#include "core/base/checked.hpp"
#include "core/base/text.hpp"
#include "core/formats/gguf_tensors.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

namespace belay::formats {
namespace {

constexpr std::string_view kMagic = "GGUF";

Status check_magic(ByteReader& reader) {
  BELAY_TRY_ASSIGN(const auto magic, reader.bytes(kMagic.size(), "the magic number"));
  const std::string_view text(reinterpret_cast<const char*>(magic.data()), magic.size());
  if (text != kMagic) {
    return reader.error_at(0, "not a GGUF file: it starts with '{}' instead of 'GGUF'", printable(text));
  }
  return {};
}

Result<std::uint32_t> read_version(ByteReader& reader) {
  const std::uint64_t start = reader.offset();
  BELAY_TRY_ASSIGN(const auto version, reader.number<std::uint32_t>("the version"));
  if (version == 2 || version == 3) return version;
  if (version != 0 && (version & 0xFFFFU) == 0) {
    return reader.error_at(start, "a big-endian GGUF file; Belay reads little-endian ones: convert it");
  }
  return reader.error_at(start, "GGUF version {}; Belay reads 2 and 3: convert the file again", version);
}

Result<std::uint32_t> read_alignment(const GgufFile& file) {
  BELAY_TRY_ASSIGN(const std::uint32_t alignment,
                   file.get_u32_or("general.alignment", kDefaultGgufAlignment));
  if (!std::has_single_bit(alignment) || alignment < kMinGgufAlignment || alignment > kMaxGgufAlignment) {
    return fail(ErrorCode::kBadInput, "{}: general.alignment is {}; it must be a power of two from {} to {}",
                printable(file.name(), 400), alignment, kMinGgufAlignment, kMaxGgufAlignment);
  }
  return alignment;
}

// The reading of `key` by `read`, which gives nothing when the type does not fit `wanted`.
template <class T>
Result<T> typed(const GgufFile& file, std::string_view key, std::string_view wanted,
                std::optional<T> (*read)(const GgufEntry&)) {
  const GgufEntry* entry = file.metadata().find(key);
  if (entry == nullptr) {
    return fail(ErrorCode::kBadInput, "{}: the metadata key '{}' ({}) is missing; use a complete model file",
                printable(file.name(), 400), printable(key), wanted);
  }
  std::optional<T> value = read(*entry);
  if (value) return *std::move(value);
  return fail(ErrorCode::kBadInput, "{}: the metadata key '{}' must be {}, it is {}",
              printable(file.name(), 400), printable(key), wanted, describe(*entry));
}

}  // namespace

Result<GgufFile> GgufFile::open(const std::filesystem::path& path) {
  BELAY_TRY_ASSIGN(MappedFile mapping, MappedFile::open(path));
  BELAY_TRY_ASSIGN(GgufFile file, parse(mapping.bytes(), path.string()));
  file.mapping_ = std::move(mapping);
  for (TensorView& tensor : file.tensors_) tensor.in_file = true;
  return file;
}

Result<GgufFile> GgufFile::parse(std::span<const std::byte> bytes, std::string_view name) {
  GgufFile file;
  file.name_ = name;
  file.file_bytes_ = bytes.size();
  ByteReader reader(bytes, name);
  BELAY_TRY(check_magic(reader));
  BELAY_TRY_ASSIGN(file.version_, read_version(reader));
  BELAY_TRY_ASSIGN(const auto n_tensors, reader.number<std::uint64_t>("the number of tensors"));
  BELAY_TRY_ASSIGN(const auto n_entries, reader.number<std::uint64_t>("the number of metadata entries"));
  BELAY_TRY_ASSIGN(file.metadata_, GgufMetadata::parse(reader, n_entries));
  BELAY_TRY_ASSIGN(const std::uint32_t alignment, read_alignment(file));
  BELAY_TRY_ASSIGN(file.tensors_, parse_tensors(reader, n_tensors, alignment));
  BELAY_TRY_ASSIGN(file.by_name_, index_by_name(reader, file.tensors_));
  return file;
}

const TensorView* GgufFile::find(std::string_view name) const {
  const auto at =
      std::lower_bound(by_name_.begin(), by_name_.end(), name,
                       [&](std::uint32_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
  return at != by_name_.end() && tensors_[*at].name == name ? &tensors_[*at] : nullptr;
}

Result<std::uint32_t> GgufFile::get_u32(std::string_view key) const {
  return typed<std::uint32_t>(*this, key, "an integer from 0 to 2^32 - 1", [](const GgufEntry& entry) {
    const auto value = as_unsigned(entry);
    return value ? narrow<std::uint32_t>(*value) : std::nullopt;
  });
}

Result<std::uint64_t> GgufFile::get_u64(std::string_view key) const {
  return typed(*this, key, "an integer from 0 to 2^64 - 1", as_unsigned);
}

Result<std::int64_t> GgufFile::get_i64(std::string_view key) const {
  return typed(*this, key, "an integer from -2^63 to 2^63 - 1", as_signed);
}

Result<float> GgufFile::get_f32(std::string_view key) const { return typed(*this, key, "f32", as_float); }

Result<bool> GgufFile::get_bool(std::string_view key) const { return typed(*this, key, "bool", as_bool); }

Result<std::string_view> GgufFile::get_string(std::string_view key) const {
  return typed(*this, key, "string", as_string);
}

Result<std::vector<std::string_view>> GgufFile::get_strings(std::string_view key) const {
  return typed(*this, key, "an array of string", as_strings);
}

Result<std::vector<std::int32_t>> GgufFile::get_i32s(std::string_view key) const {
  return typed(*this, key, "an array of integers from -2^31 to 2^31 - 1", as_i32s);
}

Result<std::vector<float>> GgufFile::get_f32s(std::string_view key) const {
  return typed(*this, key, "an array of f32", as_floats);
}

Result<std::vector<bool>> GgufFile::get_bools(std::string_view key) const {
  return typed(*this, key, "an array of bool", as_bools);
}

Result<std::uint32_t> GgufFile::get_u32_or(std::string_view key, std::uint32_t fallback) const {
  return has(key) ? get_u32(key) : Result<std::uint32_t>(fallback);
}

Result<float> GgufFile::get_f32_or(std::string_view key, float fallback) const {
  return has(key) ? get_f32(key) : Result<float>(fallback);
}

Result<bool> GgufFile::get_bool_or(std::string_view key, bool fallback) const {
  return has(key) ? get_bool(key) : Result<bool>(fallback);
}

Result<std::string_view> GgufFile::get_string_or(std::string_view key, std::string_view fallback) const {
  return has(key) ? get_string(key) : Result<std::string_view>(fallback);
}

}  // namespace belay::formats
