// x86-64-v2: SSE4.2 without FMA and F16C. See simd.hpp for what the verbs mean.
#pragma once

#include "plugins/cpu_kernels/simd/half.hpp"

#include <nmmintrin.h>

#include <cstdint>

namespace belay::isa_sse {

inline constexpr int kLanes = 4;
inline constexpr bool kPacksWeights = true;
inline constexpr double kSlowness = 2.5;  // rough time relative to AVX2, for cost estimates
inline constexpr int kTileTokens =
    2;  // dot_tile: 8 accumulators, and room for the products that FMA would not need
inline constexpr bool kFastHalf = false;            // a half float takes some steps
inline constexpr int64_t kPanelTokens = INT64_MAX;  // never: add_outer needs loads that broadcast

struct F32 {
  __m128 v;
};
struct I32 {
  __m128i v;
};
struct I16 {
  __m128i v;
};
struct U8 {
  __m128i v;
};
struct Bytes {
  U8 part[2];
};

// ---- floats
inline F32 zero() { return {_mm_setzero_ps()}; }
inline F32 splat(float x) { return {_mm_set1_ps(x)}; }
inline F32 load(const float* p) { return {_mm_loadu_ps(p)}; }
inline void store(F32 a, float* p) { _mm_storeu_ps(p, a.v); }
inline F32 load_partial(const float* p, int count) {
  alignas(16) float all[4] = {};
  for (int i = 0; i < count; ++i) all[i] = p[i];
  return load(all);
}
inline void store_partial(F32 a, float* p, int count) {
  alignas(16) float all[4];
  store(a, all);
  for (int i = 0; i < count; ++i) p[i] = all[i];
}

inline F32 operator+(F32 a, F32 b) { return {_mm_add_ps(a.v, b.v)}; }
inline F32 operator-(F32 a, F32 b) { return {_mm_sub_ps(a.v, b.v)}; }
inline F32 operator*(F32 a, F32 b) { return {_mm_mul_ps(a.v, b.v)}; }
inline F32 operator/(F32 a, F32 b) { return {_mm_div_ps(a.v, b.v)}; }
inline F32 mul_add(F32 a, F32 b, F32 c) { return {_mm_add_ps(_mm_mul_ps(a.v, b.v), c.v)}; }
inline F32 max(F32 a, F32 b) { return {_mm_max_ps(a.v, b.v)}; }
inline F32 min(F32 a, F32 b) { return {_mm_min_ps(a.v, b.v)}; }
inline F32 abs(F32 a) { return {_mm_andnot_ps(_mm_set1_ps(-0.0f), a.v)}; }
inline F32 less(F32 a, F32 b) { return {_mm_cmplt_ps(a.v, b.v)}; }
inline F32 select(F32 where, F32 a, F32 b) { return {_mm_blendv_ps(b.v, a.v, where.v)}; }
inline F32 swap_pairs(F32 a) { return {_mm_shuffle_ps(a.v, a.v, 0xb1)}; }

inline float sum(F32 a) {
  const __m128 s = _mm_add_ps(a.v, _mm_movehl_ps(a.v, a.v));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
inline float max_lane(F32 a) {
  const __m128 m = _mm_max_ps(a.v, _mm_movehl_ps(a.v, a.v));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}
inline void transpose(F32 (&r)[4]) { _MM_TRANSPOSE4_PS(r[0].v, r[1].v, r[2].v, r[3].v); }
inline void store_sums(F32 a, F32 b, F32 c, F32 d, float* to) {
  F32 r[4] = {a, b, c, d};
  transpose(r);
  store((r[0] + r[2]) + (r[1] + r[3]), to);
}

// ---- other floats
inline F32 load_f16(const void* p) {
  const __m128i half = _mm_cvtepu16_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(p)));
  const __m128i sign = _mm_slli_epi32(_mm_and_si128(half, _mm_set1_epi32(0x8000)), 16);
  const __m128i rest = _mm_slli_epi32(_mm_and_si128(half, _mm_set1_epi32(0x7fff)), 13);
  const __m128 finite = _mm_mul_ps(_mm_castsi128_ps(rest), _mm_set1_ps(0x1p112f));
  const __m128i special = _mm_and_si128(_mm_cmpgt_epi32(rest, _mm_set1_epi32((0x7c00 << 13) - 1)),
                                        _mm_or_si128(rest, _mm_set1_epi32(0x7f800000)));
  return {_mm_or_ps(_mm_or_ps(finite, _mm_castsi128_ps(special)), _mm_castsi128_ps(sign))};
}
inline void store_f16(F32 a, void* p) {
  alignas(16) float all[4];
  store(a, all);
  uint16_t halves[4];
  for (int i = 0; i < 4; ++i) halves[i] = float_to_half(all[i]);
  __builtin_memcpy(p, halves, sizeof halves);
}
inline F32 load_bf16(const void* p) {
  const __m128i wide = _mm_cvtepu16_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(p)));
  return {_mm_castsi128_ps(_mm_slli_epi32(wide, 16))};
}
inline F32 gather_f16(const uint8_t* const (&rows)[4], int64_t offset) {
  uint16_t halves[4];
  for (int r = 0; r < 4; ++r) __builtin_memcpy(&halves[r], rows[r] + offset, 2);
  return load_f16(halves);
}

// ---- int32
inline I32 zero_i32() { return {_mm_setzero_si128()}; }
inline I32 operator+(I32 a, I32 b) { return {_mm_add_epi32(a.v, b.v)}; }
inline I32 operator-(I32 a, I32 b) { return {_mm_sub_epi32(a.v, b.v)}; }
inline F32 to_f32(I32 a) { return {_mm_cvtepi32_ps(a.v)}; }
inline I32 round_to_i32(F32 a) { return {_mm_cvtps_epi32(a.v)}; }
inline F32 pow2(I32 n) {
  return {_mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(n.v, _mm_set1_epi32(127)), 23))};
}
inline I32 shift_right(I32 a, int bits) { return {_mm_srai_epi32(a.v, bits)}; }
inline I32 sum_rows(const I32 (&v)[4]) {
  return {_mm_hadd_epi32(_mm_hadd_epi32(v[0].v, v[1].v), _mm_hadd_epi32(v[2].v, v[3].v))};
}

// The same for the two halves of what dot_halves gave.
inline void sum_rows_halves(const I32 (&first)[4], const I32 (&second)[4], I32& sum_first, I32& sum_second) {
  sum_first = sum_rows(first);
  sum_second = sum_rows(second);
}

// ---- bytes and their products
inline U8 load_u8(const void* p) { return {_mm_loadu_si128(static_cast<const __m128i*>(p))}; }
inline void store_u8(U8 a, void* p) { _mm_storeu_si128(static_cast<__m128i*>(p), a.v); }
inline U8 splat_u8(uint8_t x) { return {_mm_set1_epi8(static_cast<char>(x))}; }
inline U8 splat_quad(const void* p) {
  int32_t quad = 0;
  __builtin_memcpy(&quad, p, 4);
  return {_mm_set1_epi32(quad)};
}
inline U8 operator&(U8 a, U8 b) { return {_mm_and_si128(a.v, b.v)}; }
inline U8 operator|(U8 a, U8 b) { return {_mm_or_si128(a.v, b.v)}; }
inline U8 shift_right(U8 a, int bits) { return {_mm_srli_epi16(a.v, bits)}; }
inline U8 shift_left(U8 a, int bits) { return {_mm_slli_epi16(a.v, bits)}; }

inline I16 zero_i16() { return {_mm_setzero_si128()}; }
inline I16 operator+(I16 a, I16 b) { return {_mm_add_epi16(a.v, b.v)}; }
inline void pin(I16& a) { asm("" : "+x"(a.v)); }
inline void pin(I32& a) { asm("" : "+x"(a.v)); }
inline I16 dot_u8(U8 w, U8 a) { return {_mm_maddubs_epi16(w.v, a.v)}; }
inline I16 dot_i8(U8 w, U8 a) { return {_mm_maddubs_epi16(_mm_abs_epi8(w.v), _mm_sign_epi8(a.v, w.v))}; }
inline I32 widen(I16 a) { return {_mm_madd_epi16(a.v, _mm_set1_epi16(1))}; }
inline I16 as_i16(U8 a) { return {a.v}; }
inline U8 as_u8(I16 a) { return {a.v}; }
inline I16 even_i8(U8 a) { return {_mm_srai_epi16(_mm_slli_epi16(a.v, 8), 8)}; }
inline I16 odd_i8(U8 a) { return {_mm_srai_epi16(a.v, 8)}; }
inline I32 dot_i16(I16 w0, I16 a0, I16 w1, I16 a1) {
  return {_mm_add_epi32(_mm_madd_epi16(w0.v, a0.v), _mm_madd_epi16(w1.v, a1.v))};
}

inline Bytes load_nibbles(const void* p) {
  const __m128i packed = _mm_loadu_si128(static_cast<const __m128i*>(p));
  const __m128i mask = _mm_set1_epi8(15);
  return {{{_mm_and_si128(packed, mask)}, {_mm_and_si128(_mm_srli_epi16(packed, 4), mask)}}};
}
inline Bytes spread_bits(const void* p, uint8_t value) {
  const __m128i select = _mm_set1_epi64x(static_cast<int64_t>(0x8040201008040201));
  Bytes out;
  for (int i = 0; i < 2; ++i) {
    uint16_t bits = 0;
    __builtin_memcpy(&bits, static_cast<const uint8_t*>(p) + 2 * i, 2);
    const __m128i spread = _mm_set_epi64x(0x0101010101010101, 0);
    const __m128i own = _mm_and_si128(_mm_shuffle_epi8(_mm_cvtsi32_si128(bits), spread), select);
    out.part[i].v = _mm_and_si128(_mm_cmpeq_epi8(own, select), _mm_set1_epi8(static_cast<char>(value)));
  }
  return out;
}
inline F32 load_u8_as_f32(const uint8_t* p) {
  int32_t quad = 0;
  __builtin_memcpy(&quad, p, 4);
  return {_mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(quad)))};
}
inline F32 load_i8_as_f32(const int8_t* p) {
  int32_t quad = 0;
  __builtin_memcpy(&quad, p, 4);
  return {_mm_cvtepi32_ps(_mm_cvtepi8_epi32(_mm_cvtsi32_si128(quad)))};
}
inline void store_i8(I32 a, I32 b, I32 c, I32 d, int8_t* p) {
  const __m128i packed = _mm_packs_epi16(_mm_packs_epi32(a.v, b.v), _mm_packs_epi32(c.v, d.v));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), packed);
}
inline void interleave(const Bytes (&rows)[4], U8 (&quads)[8]) {
  for (int half = 0; half < 2; ++half) {
    F32 t[4];
    for (int i = 0; i < 4; ++i) t[i].v = _mm_castsi128_ps(rows[i].part[half].v);
    transpose(t);
    for (int i = 0; i < 4; ++i) quads[4 * half + i].v = _mm_castps_si128(t[i].v);
  }
}

}  // namespace belay::isa_sse
