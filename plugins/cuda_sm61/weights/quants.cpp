#include "plugins/cuda_sm61/weights/quants.hpp"

#include <belay/tensor.h>

#include <cstring>

namespace belay::cuda {

namespace {

using Quants = std::uint8_t (&)[32];

// Byte i has value i in its low nibble and value i + 16 in its high one.
void nibbles(const std::uint8_t* bytes, Quants quants) {
  for (int i = 0; i < 16; ++i) {
    quants[i] = bytes[i] & 15;
    quants[i + 16] = bytes[i] >> 4;
  }
}

// Bit i is the fifth of value i.
void add_fifth_bits(const std::uint8_t* bytes, Quants quants) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, bytes, sizeof bits);
  for (int i = 0; i < 32; ++i) quants[i] = static_cast<std::uint8_t>(quants[i] | (bits >> i & 1U) << 4);
}

// Runs 2k and 2k + 1 are the low and the high nibbles of 32 bytes.
void nibbles_of_run(const std::uint8_t* bytes, int sub, Quants quants) {
  const int shift = sub % 2 * 4;
  for (int i = 0; i < 32; ++i) quants[i] = bytes[32 * (sub / 2) + i] >> shift & 15;
}

// Bit `sub` of byte i.
void add_fifth_bits_of_run(const std::uint8_t* bytes, int sub, Quants quants) {
  for (int i = 0; i < 32; ++i) quants[i] = static_cast<std::uint8_t>(quants[i] | (bytes[i] >> sub & 1) << 4);
}

// In each half of 128 values, run j has the low (j < 2) or high nibbles of 32 bytes and bits 2j, 2j + 1 of 32
// others.
void six_bits(const std::uint8_t* block, int sub, Quants quants) {
  const int half = sub / 4;
  const int run = sub % 4;
  const std::uint8_t* low = block + 64 * half + 32 * (run % 2);
  const std::uint8_t* high = block + 128 + 32 * half;
  for (int i = 0; i < 32; ++i) {
    const int nibble = low[i] >> (run / 2 * 4) & 15;
    quants[i] = static_cast<std::uint8_t>(nibble | (high[i] >> (2 * run) & 3) << 4);
  }
}

}  // namespace

void read_quants(std::int32_t dtype, const std::uint8_t* block, int sub, std::uint8_t (&quants)[32]) {
  switch (dtype) {
    case BELAY_DTYPE_Q8_0:
      std::memcpy(quants, block + 2, 32);
      return;
    case BELAY_DTYPE_Q4_0:
      return nibbles(block + 2, quants);
    case BELAY_DTYPE_Q4_1:
      return nibbles(block + 4, quants);
    case BELAY_DTYPE_Q5_0:
      nibbles(block + 6, quants);
      return add_fifth_bits(block + 2, quants);
    case BELAY_DTYPE_Q5_1:
      nibbles(block + 8, quants);
      return add_fifth_bits(block + 4, quants);
    case BELAY_DTYPE_Q4_K:
      return nibbles_of_run(block + 16, sub, quants);
    case BELAY_DTYPE_Q5_K:
      nibbles_of_run(block + 48, sub, quants);
      return add_fifth_bits_of_run(block + 16, sub, quants);
    default:
      return six_bits(block, sub, quants);
  }
}

SmallScales small_scales(const std::uint8_t* block, int sub) {
  const std::uint8_t* s = block + 4;
  if (sub < 4) return {static_cast<std::uint8_t>(s[sub] & 63), static_cast<std::uint8_t>(s[sub + 4] & 63)};
  // The upper two bits of what belongs to run sub - 4.
  return {static_cast<std::uint8_t>((s[sub + 4] & 15) | s[sub - 4] >> 6 << 4),
          static_cast<std::uint8_t>(s[sub + 4] >> 4 | s[sub] >> 6 << 4)};
}

}  // namespace belay::cuda
