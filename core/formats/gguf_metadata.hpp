// The metadata of a GGUF file: keys with typed values, checked once when the file is opened and kept as
// views. Immutable after parse; any thread.
#pragma once

#include "core/base/status.hpp"
#include "core/formats/byte_reader.hpp"
#include "core/formats/gguf_types.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belay::formats {

// One key and where its value lies. `payload` is the number's bytes, the string's text, or an array's
// elements; the elements of a string array are strings behind their 64-bit lengths, all of them checked.
struct GgufEntry {
  std::string_view key;
  GgufType type = GgufType::kU8;
  GgufType element = GgufType::kU8;  // of an array
  std::uint64_t count = 1;           // elements of an array
  std::span<const std::byte> payload;
};

class GgufMetadata {
 public:
  // Reads `count` entries from where the reader stands.
  [[nodiscard]] static Result<GgufMetadata> parse(ByteReader& reader, std::uint64_t count);

  [[nodiscard]] std::span<const GgufEntry> entries() const { return entries_; }  // sorted by key
  [[nodiscard]] const GgufEntry* find(std::string_view key) const;

 private:
  std::vector<GgufEntry> entries_;
};

// The typed readings of an entry. Nothing when the type differs or an integer does not fit; numbers are never
// converted between integer and floating point, and a bool is not a number.
[[nodiscard]] std::optional<std::uint64_t> as_unsigned(const GgufEntry& entry);
[[nodiscard]] std::optional<std::int64_t> as_signed(const GgufEntry& entry);
[[nodiscard]] std::optional<float> as_float(const GgufEntry& entry);
[[nodiscard]] std::optional<bool> as_bool(const GgufEntry& entry);
[[nodiscard]] std::optional<std::string_view> as_string(const GgufEntry& entry);
[[nodiscard]] std::optional<std::vector<std::string_view>> as_strings(const GgufEntry& entry);
// Elements of any integer type, if all fit.
[[nodiscard]] std::optional<std::vector<std::int32_t>> as_i32s(const GgufEntry& entry);
[[nodiscard]] std::optional<std::vector<float>> as_floats(const GgufEntry& entry);
[[nodiscard]] std::optional<std::vector<bool>> as_bools(const GgufEntry& entry);

// For messages: "i32 -5", "string", "an array of 3 u8".
[[nodiscard]] std::string describe(const GgufEntry& entry);

}  // namespace belay::formats
