// The typed readings of metadata values. The payloads were checked when the file was opened; here only the
// type counts.
#include "core/base/checked.hpp"
#include "core/formats/gguf_metadata.hpp"

#include <array>
#include <optional>

namespace belay::formats {
namespace {

using Bytes = std::span<const std::byte>;

// The integer of type `type` at the start of `bytes` as To, or nothing when it is no integer or does not fit.
template <class To>
std::optional<To> load_integer(GgufType type, Bytes bytes) {
  switch (type) {
    case GgufType::kU8:
      return narrow<To>(load_number<std::uint8_t>(bytes));
    case GgufType::kI8:
      return narrow<To>(load_number<std::int8_t>(bytes));
    case GgufType::kU16:
      return narrow<To>(load_number<std::uint16_t>(bytes));
    case GgufType::kI16:
      return narrow<To>(load_number<std::int16_t>(bytes));
    case GgufType::kU32:
      return narrow<To>(load_number<std::uint32_t>(bytes));
    case GgufType::kI32:
      return narrow<To>(load_number<std::int32_t>(bytes));
    case GgufType::kU64:
      return narrow<To>(load_number<std::uint64_t>(bytes));
    case GgufType::kI64:
      return narrow<To>(load_number<std::int64_t>(bytes));
    default:
      return std::nullopt;
  }
}

bool is_integer(GgufType type) {
  constexpr std::array<std::byte, 8> kZero = {};
  return load_integer<std::uint64_t>(type, kZero).has_value();
}

bool is_array_of(const GgufEntry& entry, GgufType element) {
  return entry.type == GgufType::kArray && entry.element == element;
}

}  // namespace

std::optional<std::uint64_t> as_unsigned(const GgufEntry& entry) {
  return load_integer<std::uint64_t>(entry.type, entry.payload);
}

std::optional<std::int64_t> as_signed(const GgufEntry& entry) {
  return load_integer<std::int64_t>(entry.type, entry.payload);
}

std::optional<float> as_float(const GgufEntry& entry) {
  if (entry.type != GgufType::kF32) return std::nullopt;
  return load_number<float>(entry.payload);
}

std::optional<bool> as_bool(const GgufEntry& entry) {
  if (entry.type != GgufType::kBool) return std::nullopt;
  return entry.payload[0] != std::byte{0};
}

std::optional<std::string_view> as_string(const GgufEntry& entry) {
  if (entry.type != GgufType::kString) return std::nullopt;
  return std::string_view(reinterpret_cast<const char*>(entry.payload.data()), entry.payload.size());
}

std::optional<std::vector<std::string_view>> as_strings(const GgufEntry& entry) {
  if (!is_array_of(entry, GgufType::kString)) return std::nullopt;
  std::vector<std::string_view> strings;
  strings.reserve(entry.count);
  Bytes rest = entry.payload;
  for (std::uint64_t i = 0; i < entry.count; ++i) {
    const auto length = load_number<std::uint64_t>(rest);
    const Bytes text = rest.subspan(sizeof length, length);
    strings.emplace_back(reinterpret_cast<const char*>(text.data()), text.size());
    rest = rest.subspan(sizeof length + length);
  }
  return strings;
}

std::optional<std::vector<std::int32_t>> as_i32s(const GgufEntry& entry) {
  if (entry.type != GgufType::kArray) return std::nullopt;
  if (!is_integer(entry.element)) return std::nullopt;
  std::vector<std::int32_t> values;
  values.reserve(entry.count);
  const std::uint64_t step = min_bytes(entry.element);
  for (std::uint64_t i = 0; i < entry.count; ++i) {
    const auto value = load_integer<std::int32_t>(entry.element, entry.payload.subspan(i * step));
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

std::optional<std::vector<float>> as_floats(const GgufEntry& entry) {
  if (!is_array_of(entry, GgufType::kF32)) return std::nullopt;
  std::vector<float> values(entry.count);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = load_number<float>(entry.payload.subspan(i * sizeof(float)));
  return values;
}

std::optional<std::vector<bool>> as_bools(const GgufEntry& entry) {
  if (!is_array_of(entry, GgufType::kBool)) return std::nullopt;
  std::vector<bool> values(entry.count);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = entry.payload[i] != std::byte{0};
  return values;
}

std::string describe(const GgufEntry& entry) {
  if (entry.type == GgufType::kArray)
    return format("an array of {} {}", entry.count, to_string(entry.element));
  if (const auto value = as_signed(entry)) return format("{} {}", to_string(entry.type), *value);
  return std::string(to_string(entry.type));
}

}  // namespace belay::formats
