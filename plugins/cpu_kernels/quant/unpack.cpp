#include "plugins/cpu_kernels/quant/unpack.hpp"

#include "plugins/cpu_kernels/quant/visit.hpp"

#include <cstring>

namespace belay::BELAY_ISA {
namespace {

template <class F>
void unpack_block(const uint8_t* block, int row, const float* scale, const float* offset, float* out) {
  alignas(32) uint8_t q[32];
  for (int i = 0; i < F::kBlock / 32; ++i) {
    store_bytes(F::quants(block, i), q);
    keep_in_memory(q);
    for (int j = 0; j < 32; j += kLanes) {
      const int at = ((32 * i + j) / F::kGroup) * kLanes + row;
      if constexpr (F::kSigned) {
        store(load_i8_as_f32(reinterpret_cast<const int8_t*>(q) + j) * splat(scale[at]), out + 32 * i + j);
      } else {
        store(mul_add(load_u8_as_f32(q + j), splat(scale[at]), splat(offset[at])), out + 32 * i + j);
      }
    }
  }
}

template <class F>
void unpack_quantised(const Rows& rows, int row_count, int64_t first, int64_t count, float* out,
                      int64_t stride) {
  Rows at;
  for (int r = 0; r < kLanes; ++r) at[r] = rows[r] + first / F::kBlock * F::kBytes;
  alignas(32) float scale[kGroups<F> * kLanes];
  alignas(32) float offset[kGroups<F> * kLanes];
  for (int64_t k = 0; k < count; k += F::kBlock) {
    F32 s[kGroups<F>];
    F32 o[kGroups<F>];
    F::affine(at, s, o);
    for (int g = 0; g < kGroups<F>; ++g) {
      store(s[g], scale + g * kLanes);
      store(o[g], offset + g * kLanes);
    }
    for (int r = 0; r < row_count; ++r) unpack_block<F>(at[r], r, scale, offset, out + r * stride + k);
    for (int r = 0; r < kLanes; ++r) at[r] += F::kBytes;
  }
}

float bf16_to_float(uint16_t value) { return std::bit_cast<float>(static_cast<uint32_t>(value) << 16); }

template <F32 (*kLoad)(const void*), float (*kLoadOne)(uint16_t)>
void unpack_16_bit(const Rows& rows, int row_count, int64_t first, int64_t count, float* out,
                   int64_t stride) {
  for (int r = 0; r < row_count; ++r) {
    const uint8_t* from = rows[r] + 2 * first;
    float* to = out + r * stride;
    int64_t k = 0;
    for (; k + kLanes <= count; k += kLanes) store(kLoad(from + 2 * k), to + k);
    for (; k < count; ++k) {
      uint16_t one = 0;
      std::memcpy(&one, from + 2 * k, 2);
      to[k] = kLoadOne(one);
    }
  }
}

void unpack_f32(const Rows& rows, int row_count, int64_t first, int64_t count, float* out, int64_t stride) {
  for (int r = 0; r < row_count; ++r) {
    std::memcpy(out + r * stride, rows[r] + 4 * first, static_cast<size_t>(count) * 4);
  }
}

}  // namespace

UnpackRows unpack_rows(int32_t dtype) {
  if (dtype == BELAY_DTYPE_F32) return &unpack_f32;
  if (dtype == BELAY_DTYPE_F16) return &unpack_16_bit<&load_f16, &half_to_float>;
  if (dtype == BELAY_DTYPE_BF16) return &unpack_16_bit<&load_bf16, &bf16_to_float>;
  UnpackRows found = nullptr;
  visit(dtype, [&](auto format) { found = &unpack_quantised<decltype(format)>; });
  return found;
}

BlockSize block_size(int32_t dtype) {
  if (dtype == BELAY_DTYPE_F32) return {1, 4};
  if (dtype == BELAY_DTYPE_F16 || dtype == BELAY_DTYPE_BF16) return {1, 2};
  BlockSize found{0, 0};
  visit(dtype, [&](auto format) { found = {format.kBlock, format.kBytes}; });
  return found;
}

}  // namespace belay::BELAY_ISA
