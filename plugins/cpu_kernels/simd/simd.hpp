// The vector vocabulary of the kernels: the instruction set is chosen here and nowhere else. Verbs are
// Highway's.
//
//   F32  kLanes floats       I32  kLanes int32       I16  2*kLanes int16       U8  4*kLanes bytes
//   Bytes  32 bytes, the quants of one block
//
// Everything lies in a namespace named for the instruction set (belay::BELAY_ISA, set by the build), because
// two objects with the same function built for different CPUs would otherwise keep only one copy of it. All
// of it is pure.
//
//   max, min         when a lane is not comparable the second argument's lane is taken: max(low, x) keeps NaN
//   less, select     a mask for each lane, and select(mask, a, b): a where it is set, else b
//   mul_add          a*b + c, fused where the instruction set has it
//   dot_u8           pairs w*a summed in int16; w unsigned up to 127 (a pair fits), a in [-127, 127]
//   dot_i8           the same for signed w, -128 included
//   dot_i16          pairs w0*a0 + w1*a1 summed in int32; int16 in the same ranges
//   even_i8, odd_i8  every other signed byte, from the first or the second on, as int16
//   widen            pairs of int16 summed in int32; sums of int16 wrap around
//   kPacksWeights    whether weights are packed for this instruction set, or computed as the file has them
#pragma once

#include <cstdint>
#include <cstring>

#ifndef BELAY_ISA
#error "BELAY_ISA must name the namespace of this instruction set, see plugins/cpu_kernels/CMakeLists.txt"
#endif

#if defined(__AVX2__)
#include "plugins/cpu_kernels/simd/avx2.hpp"
#elif defined(__SSE4_1__)
#include "plugins/cpu_kernels/simd/sse.hpp"
#else
#include "plugins/cpu_kernels/simd/scalar.hpp"
#endif

namespace belay::BELAY_ISA {

inline constexpr int kVectorBytes = 4 * kLanes;
inline constexpr int kParts = 32 / kVectorBytes;  // vectors in a Bytes

inline Bytes load_bytes(const void* from) {
  Bytes r;
  const auto* p = static_cast<const uint8_t*>(from);
  for (int i = 0; i < kParts; ++i) r.part[i] = load_u8(p + i * kVectorBytes);
  return r;
}

inline void store_bytes(Bytes a, void* to) {
  auto* p = static_cast<uint8_t*>(to);
  for (int i = 0; i < kParts; ++i) store_u8(a.part[i], p + i * kVectorBytes);
}

inline Bytes operator|(Bytes a, Bytes b) {
  for (int i = 0; i < kParts; ++i) a.part[i] = a.part[i] | b.part[i];
  return a;
}

// (a >> bits) & mask in every byte; mask must clear what crosses over from the neighbouring byte.
inline Bytes shift_right_and(Bytes a, int bits, uint8_t mask) {
  for (int i = 0; i < kParts; ++i) a.part[i] = shift_right(a.part[i], bits) & splat_u8(mask);
  return a;
}

inline Bytes shift_left_and(Bytes a, int bits, uint8_t mask) {
  for (int i = 0; i < kParts; ++i) a.part[i] = shift_left(a.part[i], bits) & splat_u8(mask);
  return a;
}

// Products of 32 weights and 32 activations, summed as far as int32 lanes.
template <bool kSigned>
inline I32 dot(Bytes w, Bytes a) {
  I32 sum = zero_i32();
  for (int i = 0; i < kParts; ++i) {
    sum = sum + widen(kSigned ? dot_i8(w.part[i], a.part[i]) : dot_u8(w.part[i], a.part[i]));
  }
  return sum;
}

// The same for the first and the last 16 apart, to be added up over rows by sum_rows_halves. Where one vector
// holds all 32, `first` does for both.
template <bool kSigned>
inline void dot_halves(Bytes w, Bytes a, I32& first, I32& second) {
  const auto part = [&](int i) {
    return widen(kSigned ? dot_i8(w.part[i], a.part[i]) : dot_u8(w.part[i], a.part[i]));
  };
  first = part(0);
  if constexpr (kParts == 2) second = part(1);
}

// Makes the compiler load what was stored here, with a broadcast or a widening on the way, where it would
// rather shuffle registers: loads have ports of their own. Halves the instructions of unpacking with GCC 12.
template <class T>
inline void keep_in_memory(T& array) {
  asm("" : "+m"(array));
}

// A half float in memory, so that code over floats can be written over either.
struct Half {
  uint16_t bits;
};
inline float to_float(float a) { return a; }
inline float to_float(Half a) { return half_to_float(a.bits); }
inline F32 load(const Half* from) { return load_f16(from); }
struct Bfloat {
  uint16_t bits;
};
inline F32 load(const Bfloat* from) { return load_bf16(from); }
inline F32 load_partial(const Half* from, int count) {
  Half all[kLanes] = {};
  for (int i = 0; i < count; ++i) all[i] = from[i];
  return load_f16(all);
}

inline F32 load_upto(const float* from, int64_t count) {
  return count >= kLanes ? load(from) : load_partial(from, static_cast<int>(count));
}

inline void store_upto(F32 a, float* to, int64_t count) {
  if (count >= kLanes) {
    store(a, to);
  } else {
    store_partial(a, to, static_cast<int>(count));
  }
}

}  // namespace belay::BELAY_ISA
