// CUDA's vocabulary for a host compiler, as far as kernels use it: what device.h includes when it is not
// compiled for a device. The names are CUDA's, in the global namespace. Each intrinsic learns the line it is
// called from, for messages.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace belay::emulator {

struct Site {
  const char* file = "";
  int line = 0;
};
struct Index {
  unsigned x = 0;
  unsigned y = 0;
  unsigned z = 0;
};
// What the thread that runs now knows of itself.
struct Coordinates {
  Index thread;
  Index block;
  Index block_size;
  Index grid_size;
};
const Coordinates& coordinates();
unsigned lane();

void block_barrier(Site site);
void warp_barrier(unsigned mask, Site site);
// Gives `value` to the warp and takes what lane `from` gave.
std::uint32_t exchange(unsigned mask, std::uint32_t value, unsigned from, Site site);
// The lanes whose value is not 0.
unsigned ballot(unsigned mask, bool value, Site site);
// The same memory for all threads of a block that come with the same key; filled with 0xff (NaN) when the
// block begins.
void* shared_memory(const void* key, std::size_t bytes);
void* dynamic_shared_memory();

}  // namespace belay::emulator

// NOLINTBEGIN: CUDA's names
struct float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

#define threadIdx (::belay::emulator::coordinates().thread)
#define blockIdx (::belay::emulator::coordinates().block)
#define blockDim (::belay::emulator::coordinates().block_size)
#define gridDim (::belay::emulator::coordinates().grid_size)

#define BELAY_DEVICE static inline
#define BELAY_UNROLL
#define BELAY_NO_UNROLL
#define BELAY_UNROLL_BY(times)
#define BELAY_KERNEL(name, param) extern "C" void name(param)
#define BELAY_KERNEL_BOUNDS(name, param, threads, blocks) extern "C" void name(param)
#define BELAY_SHARED(type, name, count)  \
  static const char name##_key = 0;      \
  type* const name = static_cast<type*>( \
      ::belay::emulator::shared_memory(&name##_key, sizeof(type) * static_cast<std::size_t>(count)))
#define BELAY_DYNAMIC_SHARED(type, name) \
  type* const name = static_cast<type*>(::belay::emulator::dynamic_shared_memory())

inline void __syncthreads(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  belay::emulator::block_barrier({file, line});
}
inline void __syncwarp(unsigned mask = 0xffffffffu, const char* file = __builtin_FILE(),
                       int line = __builtin_LINE()) {
  belay::emulator::warp_barrier(mask, {file, line});
}
template <class T>
T belay_exchange(unsigned mask, T value, unsigned from, belay::emulator::Site site) {
  static_assert(sizeof(T) == 4);
  return std::bit_cast<T>(belay::emulator::exchange(mask, std::bit_cast<std::uint32_t>(value), from, site));
}
template <class T>
T __shfl_sync(unsigned mask, T value, int from, int width = 32, const char* file = __builtin_FILE(),
              int line = __builtin_LINE()) {
  const unsigned w = static_cast<unsigned>(width);
  return belay_exchange(mask, value, belay::emulator::lane() / w * w + static_cast<unsigned>(from) % w,
                        {file, line});
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  const unsigned me = belay::emulator::lane();
  const unsigned from = me ^ static_cast<unsigned>(bits);
  const bool beyond =
      from / static_cast<unsigned>(width) > me / static_cast<unsigned>(width);  // keeps its own then
  return belay_exchange(mask, value, beyond ? me : from, {file, line});
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  const unsigned me = belay::emulator::lane();
  const bool inside = me % static_cast<unsigned>(width) + delta < static_cast<unsigned>(width);
  return belay_exchange(mask, value, inside ? me + delta : me, {file, line});
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, const char* file = __builtin_FILE(),
                 int line = __builtin_LINE()) {
  const unsigned me = belay::emulator::lane();
  return belay_exchange(mask, value, me % static_cast<unsigned>(width) >= delta ? me - delta : me,
                        {file, line});
}
inline unsigned __ballot_sync(unsigned mask, int value, const char* file = __builtin_FILE(),
                              int line = __builtin_LINE()) {
  return belay::emulator::ballot(mask, value != 0, {file, line});
}
inline int __any_sync(unsigned mask, int value, const char* file = __builtin_FILE(),
                      int line = __builtin_LINE()) {
  return belay::emulator::ballot(mask, value != 0, {file, line}) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned mask, int value, const char* file = __builtin_FILE(),
                      int line = __builtin_LINE()) {
  return belay::emulator::ballot(mask, value != 0, {file, line}) == mask ? 1 : 0;
}
// Blocks run one after the other: nothing to order, nothing to race with.
inline void __threadfence() {}
inline unsigned atomicAdd(unsigned* at, unsigned value) {
  const unsigned before = *at;
  *at = before + value;
  return before;
}
inline void sincospif(float value, float* sine, float* cosine) {
  const double angle = 3.14159265358979323846 * static_cast<double>(value);
  *sine = static_cast<float>(std::sin(angle));
  *cosine = static_cast<float>(std::cos(angle));
}
inline float rsqrtf(float value) { return 1.0F / std::sqrt(value); }
inline int __popc(unsigned value) { return std::popcount(value); }
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline long long min(long long a, long long b) { return a < b ? a : b; }
inline long long max(long long a, long long b) { return a > b ? a : b; }
// NOLINTEND

inline int dp4a(int a, int b, int c) {
  auto sum = static_cast<std::uint32_t>(c);  // wraps, as the instruction does
  for (unsigned shift = 0; shift < 32; shift += 8) {
    const auto left = static_cast<std::int8_t>(static_cast<std::uint32_t>(a) >> shift);
    const auto right = static_cast<std::int8_t>(static_cast<std::uint32_t>(b) >> shift);
    sum += static_cast<std::uint32_t>(left * right);
  }
  return static_cast<int>(sum);
}

inline float bits_to_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline unsigned float_to_bits(float value) { return std::bit_cast<unsigned>(value); }
// Saturates and turns NaN into 0, as the instruction does.
inline int round_to_int(float value) {
  if (!(value == value)) return 0;
  if (value >= 2147483648.0F) return 2147483647;
  if (value < -2147483648.0F) return -2147483647 - 1;
  return static_cast<int>(std::nearbyint(value));
}

inline float half_to_float(unsigned short bits) {
  const unsigned sign = (bits & 0x8000U) << 16;
  const unsigned magnitude = bits & 0x7fffU;
  if (magnitude >= 0x7c00U) return bits_to_float(sign | 0x7f800000U | (magnitude & 0x3ffU) << 13);
  // 2^112 puts the exponent where a float has it, denormals included.
  return bits_to_float(float_to_bits(bits_to_float(magnitude << 13) * 0x1p112F) | sign);
}

inline unsigned short float_to_half(float value) {
  const unsigned bits = float_to_bits(value);
  const unsigned sign = bits >> 16 & 0x8000U;
  const unsigned magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return static_cast<unsigned short>(sign | 0x7fffU);
  if (magnitude >= 0x477ff000U) return static_cast<unsigned short>(sign | 0x7c00U);  // 65520 and more
  if (magnitude < 0x38800000U) {  // below 2^-14: a step is 2^-24
    const float steps = std::nearbyint(bits_to_float(magnitude) * 0x1p24F);
    return static_cast<unsigned short>(sign | static_cast<unsigned>(steps));
  }
  const unsigned rounded = magnitude + 0xfffU + (magnitude >> 13 & 1U);
  return static_cast<unsigned short>(sign | (rounded - 0x38000000U) >> 13);
}

template <class T>
inline T load_constant(const T* from) {
  return *from;
}
template <class T>
inline T load_fresh(const T* from) {
  return *from;
}
