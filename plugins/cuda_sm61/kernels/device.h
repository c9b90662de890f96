// What a kernel may use, in one text for two compilers: NVRTC makes device code of it, and the tests'
// emulator compiles it as C++ (device_on_host.hpp, found through the include path). C++17; no standard
// headers, NVRTC has none.
//
// Rules that a .cu keeps: this header and its own params header are all it includes; every kernel takes one
// plain struct by value and has a line in list.h; every __syncthreads is reached by all threads of a block;
// warp intrinsics are called by whole warps with BELAY_FULL_WARP; blocks are whole warps; no float atomics:
// results depend on the inputs alone.
#pragma once

#define BELAY_FULL_WARP 0xffffffffu

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)

#define BELAY_DEVICE static __device__ __forceinline__
#define BELAY_UNROLL _Pragma("unroll")
#define BELAY_NO_UNROLL _Pragma("unroll 1")
#define BELAY_PRAGMA(text) _Pragma(#text)
#define BELAY_UNROLL_BY(times) BELAY_PRAGMA(unroll times)
// BELAY_KERNEL(belay_add, AddParams p) { ... }
#define BELAY_KERNEL(name, param) extern "C" __global__ void name(param)
// The same, made to fit `blocks` blocks of `threads` threads on a multiprocessor.
#define BELAY_KERNEL_BOUNDS(name, param, threads, blocks) \
  extern "C" __global__ void __launch_bounds__(threads, blocks) name(param)
// `count` elements that the threads of a block share, aligned for 16-byte accesses. A statement of a
// function.
#define BELAY_SHARED(type, name, count) __shared__ __align__(16) type name[count]
// The shared memory whose size the launch gives.
#define BELAY_DYNAMIC_SHARED(type, name)                                \
  extern __shared__ __align__(16) unsigned char belay_dynamic_shared[]; \
  type* const name = reinterpret_cast<type*>(belay_dynamic_shared)

// c + the four products of signed bytes. Spelled in PTX because NVRTC 12.2 compiles __dp4a into a call it
// cannot link.
BELAY_DEVICE int dp4a(int a, int b, int c) {
  int d;
  asm("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}

// IEEE half is storage only: widened on load, rounded to nearest even on store.
BELAY_DEVICE float half_to_float(unsigned short bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}
BELAY_DEVICE unsigned short float_to_half(float value) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}

BELAY_DEVICE float bits_to_float(unsigned bits) { return __uint_as_float(bits); }
BELAY_DEVICE unsigned float_to_bits(float value) { return __float_as_uint(value); }
// To nearest, ties to even.
BELAY_DEVICE int round_to_int(float value) { return __float2int_rn(value); }

// Reads what no thread of the launch writes, through the read-only cache.
template <class T>
BELAY_DEVICE T load_constant(const T* from) {
  return __ldg(from);
}
// Reads what another block of the launch has written, past any cache of this multiprocessor.
template <class T>
BELAY_DEVICE T load_fresh(const T* from) {
  return __ldcg(from);
}

#else
#include "device_on_host.hpp"
#endif

BELAY_DEVICE float bfloat16_to_float(unsigned short bits) {
  return bits_to_float(static_cast<unsigned>(bits) << 16);
}

// Sums over a warp by a butterfly: every lane gets the same bits.
BELAY_DEVICE float warp_sum(float value) {
  BELAY_UNROLL
  for (int offset = 16; offset > 0; offset >>= 1) value += __shfl_xor_sync(BELAY_FULL_WARP, value, offset);
  return value;
}

BELAY_DEVICE float warp_max(float value) {
  BELAY_UNROLL
  for (int offset = 16; offset > 0; offset >>= 1) {
    value = fmaxf(value, __shfl_xor_sync(BELAY_FULL_WARP, value, offset));
  }
  return value;
}
