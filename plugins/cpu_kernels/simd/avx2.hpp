// x86-64-v3: AVX2, FMA, F16C. See simd.hpp for what the verbs mean.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace belay::isa_avx2 {

inline constexpr int kLanes = 8;
inline constexpr bool kPacksWeights = true;
inline constexpr double kSlowness = 1;       // rough time relative to AVX2, for cost estimates
inline constexpr int kTileTokens = 3;        // dot_tile: 4 rows x 3 tokens of accumulators, 16 registers
inline constexpr bool kFastHalf = true;      // a half float loads as fast as a float
inline constexpr int64_t kPanelTokens = 64;  // from so many on add_outer beats dot_tile, unpacking included

struct F32 {
  __m256 v;
};
struct I32 {
  __m256i v;
};
struct I16 {
  __m256i v;
};
struct U8 {
  __m256i v;
};
struct Bytes {
  U8 part[1];
};

// ---- floats
inline F32 zero() { return {_mm256_setzero_ps()}; }
inline F32 splat(float x) { return {_mm256_set1_ps(x)}; }
inline F32 load(const float* p) { return {_mm256_loadu_ps(p)}; }
inline void store(F32 a, float* p) { _mm256_storeu_ps(p, a.v); }

inline __m256i first_lanes(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline F32 load_partial(const float* p, int count) { return {_mm256_maskload_ps(p, first_lanes(count))}; }
inline void store_partial(F32 a, float* p, int count) { _mm256_maskstore_ps(p, first_lanes(count), a.v); }

inline F32 operator+(F32 a, F32 b) { return {_mm256_add_ps(a.v, b.v)}; }
inline F32 operator-(F32 a, F32 b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline F32 operator*(F32 a, F32 b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline F32 operator/(F32 a, F32 b) { return {_mm256_div_ps(a.v, b.v)}; }
inline F32 mul_add(F32 a, F32 b, F32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
inline F32 max(F32 a, F32 b) { return {_mm256_max_ps(a.v, b.v)}; }
inline F32 min(F32 a, F32 b) { return {_mm256_min_ps(a.v, b.v)}; }
inline F32 abs(F32 a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
inline F32 less(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
inline F32 select(F32 where, F32 a, F32 b) { return {_mm256_blendv_ps(b.v, a.v, where.v)}; }
inline F32 swap_pairs(F32 a) { return {_mm256_permute_ps(a.v, 0xb1)}; }

inline float sum(F32 a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
inline float max_lane(F32 a) {
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}
// The lane sums of four vectors, to four floats; each the same as sum().
inline void store_sums(F32 a, F32 b, F32 c, F32 d, float* to) {
  const auto fold = [](F32 x) {
    return _mm_add_ps(_mm256_castps256_ps128(x.v), _mm256_extractf128_ps(x.v, 1));
  };
  __m128 r0 = fold(a);
  __m128 r1 = fold(b);
  __m128 r2 = fold(c);
  __m128 r3 = fold(d);
  _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
  _mm_storeu_ps(to, _mm_add_ps(_mm_add_ps(r0, r2), _mm_add_ps(r1, r3)));
}

inline void transpose(F32 (&r)[8]) {
  __m256 t[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i].v, r[i + 1].v);
    t[i + 1] = _mm256_unpackhi_ps(r[i].v, r[i + 1].v);
  }
  __m256 u[8];
  for (int i = 0; i < 8; i += 4) {
    u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    r[i].v = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
    r[i + 4].v = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
  }
}

// ---- other floats
inline F32 load_f16(const void* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p)))};
}
inline void store_f16(F32 a, void* p) {
  _mm_storeu_si128(static_cast<__m128i*>(p), _mm256_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
inline F32 load_bf16(const void* p) {
  const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p)));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(wide, 16))};
}
inline float half_to_float(uint16_t half) { return _cvtsh_ss(half); }
inline uint16_t float_to_half(float value) {
  return static_cast<uint16_t>(_cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT));
}

// The half float at byte `offset` of each of kLanes rows.
inline F32 gather_f16(const uint8_t* const (&rows)[8], int64_t offset) {
  const auto at = [&](int r) {
    int16_t h = 0;
    __builtin_memcpy(&h, rows[r] + offset, 2);
    return h;
  };
  return {_mm256_cvtph_ps(_mm_setr_epi16(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7)))};
}

// ---- int32
inline I32 zero_i32() { return {_mm256_setzero_si256()}; }
inline I32 operator+(I32 a, I32 b) { return {_mm256_add_epi32(a.v, b.v)}; }
inline F32 to_f32(I32 a) { return {_mm256_cvtepi32_ps(a.v)}; }
inline I32 round_to_i32(F32 a) { return {_mm256_cvtps_epi32(a.v)}; }
// 2^n for n in [-126, 127], and 0 for -127.
inline F32 pow2(I32 n) {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n.v, _mm256_set1_epi32(127)), 23))};
}
inline I32 shift_right(I32 a, int bits) { return {_mm256_srai_epi32(a.v, bits)}; }
inline I32 operator-(I32 a, I32 b) { return {_mm256_sub_epi32(a.v, b.v)}; }

// Lane r: the sum of the lower and of the upper half of vector r, which are the two halves of what dot_halves
// gave.
inline void sum_rows_halves(const I32 (&v)[8], const I32 (&/*same*/)[8], I32& first, I32& second) {
  const __m256i a = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0].v, v[1].v), _mm256_hadd_epi32(v[2].v, v[3].v));
  const __m256i b = _mm256_hadd_epi32(_mm256_hadd_epi32(v[4].v, v[5].v), _mm256_hadd_epi32(v[6].v, v[7].v));
  first.v = _mm256_permute2x128_si256(a, b, 0x20);
  second.v = _mm256_permute2x128_si256(a, b, 0x31);
}
// Lane r: the sum of vector r.
inline I32 sum_rows(const I32 (&v)[8]) {
  I32 first;
  I32 second;
  sum_rows_halves(v, v, first, second);
  return first + second;
}

// ---- bytes and their products
inline U8 load_u8(const void* p) { return {_mm256_loadu_si256(static_cast<const __m256i*>(p))}; }
inline void store_u8(U8 a, void* p) { _mm256_storeu_si256(static_cast<__m256i*>(p), a.v); }
inline U8 splat_u8(uint8_t x) { return {_mm256_set1_epi8(static_cast<char>(x))}; }
inline U8 splat_quad(const void* p) {
  int32_t quad = 0;
  __builtin_memcpy(&quad, p, 4);
  return {_mm256_set1_epi32(quad)};
}
inline U8 operator&(U8 a, U8 b) { return {_mm256_and_si256(a.v, b.v)}; }
inline U8 operator|(U8 a, U8 b) { return {_mm256_or_si256(a.v, b.v)}; }
inline U8 shift_right(U8 a, int bits) { return {_mm256_srli_epi16(a.v, bits)}; }
inline U8 shift_left(U8 a, int bits) { return {_mm256_slli_epi16(a.v, bits)}; }

inline I16 zero_i16() { return {_mm256_setzero_si256()}; }
inline I16 operator+(I16 a, I16 b) { return {_mm256_add_epi16(a.v, b.v)}; }
inline void pin(I16& a) { asm("" : "+x"(a.v)); }
inline void pin(I32& a) { asm("" : "+x"(a.v)); }
inline I16 dot_u8(U8 w, U8 a) { return {_mm256_maddubs_epi16(w.v, a.v)}; }
// |w| is at most 128 as an unsigned byte and a never -128, so that nothing wraps and a pair fits int16.
inline I16 dot_i8(U8 w, U8 a) {
  return {_mm256_maddubs_epi16(_mm256_abs_epi8(w.v), _mm256_sign_epi8(a.v, w.v))};
}
inline I32 widen(I16 a) { return {_mm256_madd_epi16(a.v, _mm256_set1_epi16(1))}; }
inline I16 as_i16(U8 a) { return {a.v}; }
inline U8 as_u8(I16 a) { return {a.v}; }
inline I16 even_i8(U8 a) { return {_mm256_srai_epi16(_mm256_slli_epi16(a.v, 8), 8)}; }
inline I16 odd_i8(U8 a) { return {_mm256_srai_epi16(a.v, 8)}; }
inline I32 dot_i16(I16 w0, I16 a0, I16 w1, I16 a1) {
  return {_mm256_add_epi32(_mm256_madd_epi16(w0.v, a0.v), _mm256_madd_epi16(w1.v, a1.v))};
}

// 16 bytes of nibbles: the low ones are values 0..15, the high ones 16..31.
inline Bytes load_nibbles(const void* p) {
  const __m128i packed = _mm_loadu_si128(static_cast<const __m128i*>(p));
  const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(packed), _mm_srli_epi16(packed, 4), 1);
  return {{{_mm256_and_si256(both, _mm256_set1_epi8(15))}}};
}
// Bit i of the 32 at p, as byte i of 0 or `value`.
inline Bytes spread_bits(const void* p, uint8_t value) {
  int32_t bits = 0;
  __builtin_memcpy(&bits, p, 4);
  const __m256i spread = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i select = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201));
  const __m256i own = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(bits), spread), select);
  return {{{_mm256_and_si256(_mm256_cmpeq_epi8(own, select), _mm256_set1_epi8(static_cast<char>(value)))}}};
}
inline F32 load_u8_as_f32(const uint8_t* p) {
  return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))))};
}
inline F32 load_i8_as_f32(const int8_t* p) {
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))))};
}
// Four vectors of int32 within [-128, 127] as 4*kLanes bytes in order.
inline void store_i8(I32 a, I32 b, I32 c, I32 d, int8_t* p) {
  const __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(a.v, b.v), _mm256_packs_epi32(c.v, d.v));
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permutevar8x32_epi32(packed, order));
}
// Rows to 8 quads of each: [kLanes rows][4 bytes].
inline void interleave(const Bytes (&rows)[8], U8 (&quads)[8]) {
  F32 t[8];
  for (int i = 0; i < 8; ++i) t[i].v = _mm256_castsi256_ps(rows[i].part[0].v);
  transpose(t);
  for (int i = 0; i < 8; ++i) quads[i].v = _mm256_castps_si256(t[i].v);
}

}  // namespace belay::isa_avx2
