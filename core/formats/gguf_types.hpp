// The numbers that GGUF gives to types of metadata values and of tensors, as in the format's description
// (version 3).
#pragma once

#include "core/base/dtype.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace belay::formats {

// What Belay reads at most; files beyond these limits are broken or meant to hurt. Every count is also held
// against the bytes that are left in the file before anything is allocated.
inline constexpr std::uint64_t kMaxGgufEntries = 65'536;
inline constexpr std::uint64_t kMaxGgufTensors = 65'536;
inline constexpr std::uint64_t kMaxGgufArray = 16'777'216;
inline constexpr std::uint64_t kMaxGgufString = std::uint64_t{16} << 20U;
inline constexpr std::uint32_t kMaxGgufDims = 4;
inline constexpr std::uint32_t kDefaultGgufAlignment = 32;
inline constexpr std::uint32_t kMinGgufAlignment = 8;
inline constexpr std::uint32_t kMaxGgufAlignment = 65'536;

enum class GgufType : std::uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

[[nodiscard]] constexpr bool is_gguf_type(std::uint32_t number) { return number <= 12; }

// "u8", "string", ... as messages name it.
[[nodiscard]] std::string_view to_string(GgufType type);

// The fewest bytes a value takes in the file: the size of a number, the length in front of a string, the head
// of an array.
[[nodiscard]] std::uint64_t min_bytes(GgufType type);

// The element type behind ggml's number, or nothing when Belay does not compute with it.
[[nodiscard]] std::optional<DType> dtype_of_ggml(std::uint32_t number);
// The inverse; nothing for types that GGUF tensors do not have (i32, i64 and u8 included).
[[nodiscard]] std::optional<std::uint32_t> ggml_of_dtype(DType dtype);

// For messages: "IQ2_XS (17)", or "type 99" for a number that ggml does not know either.
[[nodiscard]] std::string ggml_type_name(std::uint32_t number);
// For messages: "F32, F16, ..." in ggml's order.
[[nodiscard]] std::string supported_ggml_types();

}  // namespace belay::formats
