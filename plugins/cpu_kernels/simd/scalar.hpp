// No instruction set assumed: plain C++ over the compiler's portable 16-byte vectors (GCC and clang lower
// them to whatever the target has), no intrinsics. See simd.hpp for what the verbs mean.
#pragma once

#include "plugins/cpu_kernels/simd/half.hpp"

#include <cstdint>

namespace belay::isa_scalar {

inline constexpr int kLanes = 4;
inline constexpr bool kPacksWeights = false;  // the last link of a chain is ready without
inline constexpr double kSlowness = 6;        // rough time relative to AVX2, for cost estimates
inline constexpr int kTileTokens = 2;
inline constexpr bool kFastHalf = false;            // a half float takes some steps
inline constexpr int64_t kPanelTokens = INT64_MAX;  // never: add_outer needs loads that broadcast

using VecF32 = float __attribute__((vector_size(16)));
using VecI32 = int32_t __attribute__((vector_size(16)));
using VecI16 = int16_t __attribute__((vector_size(16)));
using VecU16 = uint16_t __attribute__((vector_size(16)));
using VecI64 = int64_t __attribute__((vector_size(16)));
using VecU8 = uint8_t __attribute__((vector_size(16)));

struct F32 {
  VecF32 v;
};
struct I32 {
  VecI32 v;
};
struct I16 {
  VecI16 v;
};
struct U8 {
  VecU16 v;  // two bytes a lane, because portable vectors have no byte products
};
struct Bytes {
  U8 part[2];
};

template <class To, class From>
inline To as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}
template <class Vec>
inline Vec load_vector(const void* p) {
  Vec v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

// ---- floats
inline F32 zero() { return {VecF32{}}; }
inline F32 splat(float x) { return {VecF32{x, x, x, x}}; }
inline F32 load(const float* p) { return {load_vector<VecF32>(p)}; }
inline void store(F32 a, float* p) { __builtin_memcpy(p, &a.v, sizeof a.v); }
inline F32 load_partial(const float* p, int count) {
  float all[4] = {};
  for (int i = 0; i < count; ++i) all[i] = p[i];
  return load(all);
}
inline void store_partial(F32 a, float* p, int count) {
  for (int i = 0; i < count; ++i) p[i] = a.v[i];
}

inline F32 operator+(F32 a, F32 b) { return {a.v + b.v}; }
inline F32 operator-(F32 a, F32 b) { return {a.v - b.v}; }
inline F32 operator*(F32 a, F32 b) { return {a.v * b.v}; }
inline F32 operator/(F32 a, F32 b) { return {a.v / b.v}; }
inline F32 mul_add(F32 a, F32 b, F32 c) { return {a.v * b.v + c.v}; }
inline F32 max(F32 a, F32 b) { return {a.v > b.v ? a.v : b.v}; }
inline F32 min(F32 a, F32 b) { return {a.v < b.v ? a.v : b.v}; }
inline F32 abs(F32 a) { return {as<VecF32>(as<VecI32>(a.v) & 0x7fffffff)}; }
inline F32 less(F32 a, F32 b) { return {as<VecF32>(a.v < b.v)}; }
inline F32 select(F32 where, F32 a, F32 b) { return {as<VecI32>(where.v) != 0 ? a.v : b.v}; }
inline F32 swap_pairs(F32 a) { return {__builtin_shufflevector(a.v, a.v, 1, 0, 3, 2)}; }
inline float sum(F32 a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }
inline float max_lane(F32 a) {
  const F32 m = max(a, {__builtin_shufflevector(a.v, a.v, 2, 3, 0, 1)});
  return max(m, swap_pairs(m)).v[0];
}
inline void transpose(F32 (&r)[4]) {
  const VecF32 a = __builtin_shufflevector(r[0].v, r[1].v, 0, 4, 1, 5);
  const VecF32 b = __builtin_shufflevector(r[0].v, r[1].v, 2, 6, 3, 7);
  const VecF32 c = __builtin_shufflevector(r[2].v, r[3].v, 0, 4, 1, 5);
  const VecF32 d = __builtin_shufflevector(r[2].v, r[3].v, 2, 6, 3, 7);
  r[0].v = __builtin_shufflevector(a, c, 0, 1, 4, 5);
  r[1].v = __builtin_shufflevector(a, c, 2, 3, 6, 7);
  r[2].v = __builtin_shufflevector(b, d, 0, 1, 4, 5);
  r[3].v = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}
inline void store_sums(F32 a, F32 b, F32 c, F32 d, float* to) {
  F32 r[4] = {a, b, c, d};
  transpose(r);
  store((r[0] + r[2]) + (r[1] + r[3]), to);
}

// ---- other floats
// Four 16-bit or 8-bit values from p, each in the low bits of a lane. The shuffles are interleavings with
// zero, which every target has.
inline VecI32 load_4x16(const void* p) {
  int64_t all = 0;
  __builtin_memcpy(&all, p, 8);
  return as<VecI32>(__builtin_shufflevector(as<VecU16>(VecI64{all, 0}), VecU16{}, 0, 8, 1, 9, 2, 10, 3, 11));
}
inline VecI32 load_4x8(const void* p) {
  int32_t all = 0;
  __builtin_memcpy(&all, p, 4);
  const auto pairs = __builtin_shufflevector(as<VecU8>(VecI32{all, 0, 0, 0}), VecU8{}, 0, 16, 1, 17, 2, 18, 3,
                                             19, 4, 20, 5, 21, 6, 22, 7, 23);
  return as<VecI32>(__builtin_shufflevector(as<VecU16>(pairs), VecU16{}, 0, 8, 1, 9, 2, 10, 3, 11));
}

// half_to_float of half.hpp, four at a time.
inline F32 load_f16(const void* p) {
  const VecI32 half = load_4x16(p);
  const VecI32 sign = (half & 0x8000) << 16;
  const VecI32 rest = (half & 0x7fff) << 13;
  const VecI32 finite = as<VecI32>(as<VecF32>(rest) * splat(0x1p112f).v);
  const VecI32 special = (rest >= (0x7c00 << 13)) & (rest | 0x7f800000);
  return {as<VecF32>(finite | special | sign)};
}
inline void store_f16(F32 a, void* p) {
  const uint16_t h[4] = {float_to_half(a.v[0]), float_to_half(a.v[1]), float_to_half(a.v[2]),
                         float_to_half(a.v[3])};
  __builtin_memcpy(p, h, sizeof h);
}
inline F32 load_bf16(const void* p) { return {as<VecF32>(load_4x16(p) << 16)}; }
inline F32 gather_f16(const uint8_t* const (&rows)[4], int64_t offset) {
  uint16_t h[4];
  for (int r = 0; r < 4; ++r) __builtin_memcpy(&h[r], rows[r] + offset, 2);
  return load_f16(h);
}

// ---- int32
inline I32 zero_i32() { return {VecI32{}}; }
inline I32 operator+(I32 a, I32 b) { return {a.v + b.v}; }
inline I32 operator-(I32 a, I32 b) { return {a.v - b.v}; }
inline F32 to_f32(I32 a) { return {__builtin_convertvector(a.v, VecF32)}; }
// Adding 1.5 * 2^23 leaves the integer, rounded to even, in the low bits; for |a| < 2^22.
inline I32 round_to_i32(F32 a) {
  const VecF32 magic = splat(0x1.8p23f).v;
  return {as<VecI32>(a.v + magic) - as<VecI32>(magic)};
}
inline F32 pow2(I32 n) { return {as<VecF32>((n.v + 127) << 23)}; }
inline I32 shift_right(I32 a, int bits) { return {a.v >> bits}; }
inline I32 sum_rows(const I32 (&v)[4]) {
  F32 t[4];
  for (int i = 0; i < 4; ++i) t[i].v = as<VecF32>(v[i].v);
  transpose(t);
  return {(as<VecI32>(t[0].v) + as<VecI32>(t[1].v)) + (as<VecI32>(t[2].v) + as<VecI32>(t[3].v))};
}

// The same for the two halves of what dot_halves gave.
inline void sum_rows_halves(const I32 (&first)[4], const I32 (&second)[4], I32& sum_first, I32& sum_second) {
  sum_first = sum_rows(first);
  sum_second = sum_rows(second);
}

// ---- bytes and their products
inline U8 load_u8(const void* p) { return {load_vector<VecU16>(p)}; }
inline void store_u8(U8 a, void* p) { __builtin_memcpy(p, &a.v, sizeof a.v); }
inline U8 splat_u8(uint8_t x) {
  const auto both = static_cast<uint16_t>(x * 0x0101u);
  return {VecU16{both, both, both, both, both, both, both, both}};
}
inline U8 splat_quad(const void* p) {
  int32_t quad = 0;
  __builtin_memcpy(&quad, p, 4);
  return {as<VecU16>(VecI32{quad, quad, quad, quad})};
}
inline U8 operator&(U8 a, U8 b) { return {a.v & b.v}; }
inline U8 operator|(U8 a, U8 b) { return {a.v | b.v}; }
inline U8 shift_right(U8 a, int bits) { return {a.v >> bits}; }
inline U8 shift_left(U8 a, int bits) { return {a.v << bits}; }

inline I16 zero_i16() { return {VecI16{}}; }
inline I16 operator+(I16 a, I16 b) { return {as<VecI16>(as<VecU16>(a.v) + as<VecU16>(b.v))}; }
inline I16 as_i16(U8 a) { return {as<VecI16>(a.v)}; }
inline U8 as_u8(I16 a) { return {as<VecU16>(a.v)}; }
inline I16 even_i8(U8 a) { return {as<VecI16>(a.v << 8) >> 8}; }
inline I16 odd_i8(U8 a) { return {as<VecI16>(a.v) >> 8}; }
inline void pin(I16&) {}
inline void pin(I32&) {}
inline I16 dot_u8(U8 w, U8 a) {
  return {as<VecI16>(w.v & 0xff) * even_i8(a).v + as<VecI16>(w.v >> 8) * odd_i8(a).v};
}
inline I16 dot_i8(U8 w, U8 a) { return {even_i8(w).v * even_i8(a).v + odd_i8(w).v * odd_i8(a).v}; }
inline I32 widen(I16 a) {
  const auto both = as<VecI32>(a.v);
  return {((both << 16) >> 16) + (both >> 16)};
}
inline I32 dot_i16(I16 w0, I16 a0, I16 w1, I16 a1) { return widen({w0.v * a0.v + w1.v * a1.v}); }

inline Bytes load_nibbles(const void* p) {
  const U8 packed = load_u8(p);
  return {{packed & splat_u8(15), shift_right(packed, 4) & splat_u8(15)}};
}
inline Bytes spread_bits(const void* p, uint8_t value) {
  const auto spread = [&](int i) {
    const uint64_t own = static_cast<const uint8_t*>(p)[i] * 0x0101010101010101u & 0x8040201008040201u;
    return static_cast<int64_t>(((own + 0x7f7f7f7f7f7f7f7fu) >> 7 & 0x0101010101010101u) * value);
  };
  return {{{as<VecU16>(VecI64{spread(0), spread(1)})}, {as<VecU16>(VecI64{spread(2), spread(3)})}}};
}
inline F32 load_u8_as_f32(const uint8_t* p) { return to_f32({load_4x8(p)}); }
inline F32 load_i8_as_f32(const int8_t* p) { return to_f32({(load_4x8(p) << 24) >> 24}); }
inline void store_i8(I32 a, I32 b, I32 c, I32 d, int8_t* p) {
  for (int i = 0; i < 4; ++i) {
    p[i] = static_cast<int8_t>(a.v[i]);
    p[4 + i] = static_cast<int8_t>(b.v[i]);
    p[8 + i] = static_cast<int8_t>(c.v[i]);
    p[12 + i] = static_cast<int8_t>(d.v[i]);
  }
}
inline void interleave(const Bytes (&rows)[4], U8 (&quads)[8]) {
  for (int half = 0; half < 2; ++half) {
    F32 t[4];
    for (int i = 0; i < 4; ++i) t[i].v = as<VecF32>(rows[i].part[half].v);
    transpose(t);
    for (int i = 0; i < 4; ++i) quads[4 * half + i].v = as<VecU16>(t[i].v);
  }
}

}  // namespace belay::isa_scalar
