// Element and block types: their names, sizes and numbers. Values equal the BELAY_DTYPE_* constants of the
// SDK.
#pragma once

#include <belay/tensor.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace belay {

enum class DType : std::int32_t {
  kF32 = BELAY_DTYPE_F32,
  kF16 = BELAY_DTYPE_F16,
  kBF16 = BELAY_DTYPE_BF16,
  kI32 = BELAY_DTYPE_I32,
  kI64 = BELAY_DTYPE_I64,
  kU8 = BELAY_DTYPE_U8,
  kQ8_0 = BELAY_DTYPE_Q8_0,
  kQ4_0 = BELAY_DTYPE_Q4_0,
  kQ4_1 = BELAY_DTYPE_Q4_1,
  kQ5_0 = BELAY_DTYPE_Q5_0,
  kQ5_1 = BELAY_DTYPE_Q5_1,
  kQ4_K = BELAY_DTYPE_Q4_K,
  kQ5_K = BELAY_DTYPE_Q5_K,
  kQ6_K = BELAY_DTYPE_Q6_K,
};

struct DTypeInfo {
  DType dtype;
  std::string_view name;      // lower case, as in manifests and output: "q4_0"
  std::uint32_t block_elems;  // elements in one block; 1 for plain types
  std::uint32_t block_bytes;  // bytes of one block
};

inline constexpr std::array<DTypeInfo, 14> kDTypes = {{
    {DType::kF32, "f32", 1, 4},
    {DType::kF16, "f16", 1, 2},
    {DType::kBF16, "bf16", 1, 2},
    {DType::kI32, "i32", 1, 4},
    {DType::kI64, "i64", 1, 8},
    {DType::kU8, "u8", 1, 1},
    {DType::kQ8_0, "q8_0", 32, 34},
    {DType::kQ4_0, "q4_0", 32, 18},
    {DType::kQ4_1, "q4_1", 32, 20},
    {DType::kQ5_0, "q5_0", 32, 22},
    {DType::kQ5_1, "q5_1", 32, 24},
    {DType::kQ4_K, "q4_k", 256, 144},
    {DType::kQ5_K, "q5_k", 256, 176},
    {DType::kQ6_K, "q6_k", 256, 210},
}};

[[nodiscard]] constexpr const DTypeInfo& info(DType dtype) {
  for (const DTypeInfo& row : kDTypes) {
    if (row.dtype == dtype) return row;
  }
  return kDTypes[0];  // not reached: every enumerator has a row
}

[[nodiscard]] constexpr std::string_view to_string(DType dtype) { return info(dtype).name; }

[[nodiscard]] constexpr std::optional<DType> parse_dtype(std::string_view name) {
  for (const DTypeInfo& row : kDTypes) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

// Bytes of one row of `elems` elements, or nothing when the row is not a whole number of blocks or overflows.
[[nodiscard]] constexpr std::optional<std::uint64_t> row_bytes(DType dtype, std::uint64_t elems) {
  const DTypeInfo& row = info(dtype);
  if (elems % row.block_elems != 0) return std::nullopt;
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(elems / row.block_elems, std::uint64_t{row.block_bytes}, &bytes))
    return std::nullopt;
  return bytes;
}

}  // namespace belay
