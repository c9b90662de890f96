#include "core/formats/gguf_metadata.hpp"

#include "core/base/checked.hpp"
#include "core/base/text.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

static_assert(std::endian::native == std::endian::little, "GGUF files are read as they lie in memory");

namespace belay::formats {
namespace {

using Bytes = std::span<const std::byte>;

// Length, one byte of key, type, one byte of value.
constexpr std::uint64_t kMinEntryBytes = 8 + 1 + 4 + 1;

Result<GgufType> read_type(ByteReader& reader, std::string_view what) {
  const std::uint64_t start = reader.offset();
  BELAY_TRY_ASSIGN(const auto number, reader.number<std::uint32_t>(what));
  if (!is_gguf_type(number)) {
    return reader.error_at(
        start, "{} is {}, which GGUF does not define (0 to 12); the file is broken or newer", what, number);
  }
  return static_cast<GgufType>(number);
}

Status check_bools(const ByteReader& reader, std::uint64_t start, Bytes values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] > std::byte{1}) {
      return reader.error_at(start + i, "a bool is {}, it must be 0 or 1", std::to_integer<int>(values[i]));
    }
  }
  return {};
}

// Walks over `count` strings; their bytes stay where they are.
Status skip_strings(ByteReader& reader, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) BELAY_TRY(reader.string(kMaxGgufString, "a string of an array"));
  return {};
}

Result<GgufEntry> read_array(ByteReader& reader) {
  const std::uint64_t start = reader.offset();
  GgufEntry entry;
  entry.type = GgufType::kArray;
  BELAY_TRY_ASSIGN(entry.element, read_type(reader, "the element type of an array"));
  if (entry.element == GgufType::kArray) {
    return reader.error_at(start, "an array of arrays; Belay reads only flat arrays");
  }
  BELAY_TRY_ASSIGN(entry.count, reader.number<std::uint64_t>("the length of an array"));
  const CheckedU64 least = CheckedU64(entry.count) * min_bytes(entry.element);
  if (entry.count > kMaxGgufArray || !least.fits(reader.left())) {
    return reader.error_at(
        start,
        "an array claims {} elements of type {}, {} bytes are left and at most {} elements are "
        "read; the download may be incomplete: fetch the file again",
        entry.count, to_string(entry.element), reader.left(), kMaxGgufArray);
  }
  const std::uint64_t first = reader.offset();
  if (entry.element == GgufType::kString) {
    BELAY_TRY(skip_strings(reader, entry.count));
  } else {
    BELAY_TRY(reader.bytes(*least.value(), "the elements of an array"));
  }
  entry.payload = reader.all().subspan(first, reader.offset() - first);
  if (entry.element == GgufType::kBool) BELAY_TRY(check_bools(reader, first, entry.payload));
  return entry;
}

Result<GgufEntry> read_scalar(ByteReader& reader, GgufType type) {
  const std::uint64_t start = reader.offset();
  GgufEntry entry;
  entry.type = type;
  BELAY_TRY_ASSIGN(entry.payload, reader.bytes(min_bytes(type), "a value"));
  if (type == GgufType::kBool) BELAY_TRY(check_bools(reader, start, entry.payload));
  return entry;
}

Result<GgufEntry> read_string(ByteReader& reader) {
  GgufEntry entry;
  entry.type = GgufType::kString;
  BELAY_TRY_ASSIGN(const std::string_view text, reader.string(kMaxGgufString, "a string"));
  entry.payload = std::as_bytes(std::span(text));
  return entry;
}

Result<GgufEntry> read_value(ByteReader& reader) {
  BELAY_TRY_ASSIGN(const GgufType type, read_type(reader, "the type of a value"));
  if (type == GgufType::kArray) return read_array(reader);
  if (type == GgufType::kString) return read_string(reader);
  return read_scalar(reader, type);
}

Result<GgufEntry> read_entry(ByteReader& reader) {
  BELAY_TRY_ASSIGN(const std::string_view key, reader.name("a metadata key"));
  Result<GgufEntry> entry = read_value(reader);
  if (!entry.ok())
    return Error{entry.error().code, format("{} (key '{}')", entry.error().message, printable(key))};
  entry->key = key;
  return entry;
}

}  // namespace

Result<GgufMetadata> GgufMetadata::parse(ByteReader& reader, std::uint64_t count) {
  const std::uint64_t start = reader.offset();
  if (count > kMaxGgufEntries || !(CheckedU64(count) * kMinEntryBytes).fits(reader.left())) {
    return reader.error_at(
        start,
        "the file claims {} metadata entries, {} bytes are left and at most {} entries are read; "
        "the file is damaged or incomplete: fetch it again",
        count, reader.left(), kMaxGgufEntries);
  }
  GgufMetadata metadata;
  std::vector<GgufEntry>& entries = metadata.entries_;
  entries.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    BELAY_TRY_ASSIGN(GgufEntry entry, read_entry(reader));
    entries.push_back(entry);
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  const auto twice = std::adjacent_find(entries.begin(), entries.end(),
                                        [](const auto& a, const auto& b) { return a.key == b.key; });
  if (twice != entries.end()) {
    return reader.error_at(start, "the metadata key '{}' occurs twice; the file is broken",
                           printable(twice->key));
  }
  return metadata;
}

const GgufEntry* GgufMetadata::find(std::string_view key) const {
  const auto at =
      std::lower_bound(entries_.begin(), entries_.end(), key,
                       [](const GgufEntry& entry, std::string_view name) { return entry.key < name; });
  return at != entries_.end() && at->key == key ? &*at : nullptr;
}

}  // namespace belay::formats
