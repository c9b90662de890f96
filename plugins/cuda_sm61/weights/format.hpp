// The weight types as the file has them and as the device gets them, one row each.
#pragma once

#include <belay/tensor.h>

#include <cstdint>

namespace belay::cuda {

struct WeightFormat {
  std::int32_t dtype;
  std::int32_t block_values;  // of a block in the file
  std::int32_t block_bytes;
  // Bytes of the arrays of weight_planes.h: for 32 values, `supers` for 256. Floats: `quants` for one value.
  std::int32_t quants;
  std::int32_t extra;
  std::int32_t scales;
  std::int32_t supers;
  std::int32_t bits;  // of a quant, 0 for floats
  std::int32_t zero;  // what is subtracted from a quant where that is the type's constant
};

inline constexpr WeightFormat kWeightFormats[] = {
    {BELAY_DTYPE_F32, 1, 4, 4, 0, 0, 0, 0, 0},        {BELAY_DTYPE_F16, 1, 2, 2, 0, 0, 0, 0, 0},
    {BELAY_DTYPE_BF16, 1, 2, 2, 0, 0, 0, 0, 0},       {BELAY_DTYPE_Q8_0, 32, 34, 16, 16, 2, 0, 8, 0},
    {BELAY_DTYPE_Q4_0, 32, 18, 16, 0, 2, 0, 4, 8},    {BELAY_DTYPE_Q4_1, 32, 20, 16, 0, 4, 0, 4, 0},
    {BELAY_DTYPE_Q5_0, 32, 22, 16, 4, 2, 0, 5, 16},   {BELAY_DTYPE_Q5_1, 32, 24, 16, 4, 4, 0, 5, 0},
    {BELAY_DTYPE_Q4_K, 256, 144, 16, 0, 2, 4, 4, 0},  {BELAY_DTYPE_Q5_K, 256, 176, 16, 4, 2, 4, 5, 0},
    {BELAY_DTYPE_Q6_K, 256, 210, 16, 8, 2, 2, 6, 32},
};

// Null for a type that is none of a weight.
[[nodiscard]] constexpr const WeightFormat* weight_format(std::int32_t dtype) {
  for (const WeightFormat& format : kWeightFormats) {
    if (format.dtype == dtype) return &format;
  }
  return nullptr;
}

inline constexpr std::int64_t kFloatPart = 8;  // rows of floats are whole numbers of these

}  // namespace belay::cuda
