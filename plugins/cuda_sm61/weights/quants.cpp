#include "plugins/cuda_sm61/weights/quants.hpp"

#include <belay/tensor.h>

#include <cstring>

namespace belay::cuda {

namespace {

// Four bytes of a file, the first lowest.
std::uint32_t word_at(const std::uint8_t* bytes, std::size_t i) {
  std::uint32_t word = 0;
  std::memcpy(&word, bytes + 4 * i, sizeof word);
  return word;
}

constexpr std::uint32_t kNibbles = 0x0f0f0f0f;

// Byte i has value i in its low nibble and value i + 16 in its high one.
Quants nibbles(const std::uint8_t* bytes) {
  Quants quants{};
  for (std::size_t i = 0; i < 4; ++i) {
    quants[i] = word_at(bytes, i) & kNibbles;
    quants[i + 4] = word_at(bytes, i) >> 4 & kNibbles;
  }
  return quants;
}

// Bit i is the fifth of value i.
Quants with_fifth_bits(Quants quants, const std::uint8_t* bytes) {
  const std::uint32_t bits = word_at(bytes, 0);
  for (std::size_t i = 0; i < 8; ++i) {
    const std::uint32_t four = bits >> (4 * i) & 15;
    quants[i] |= (four * 0x00204081 & 0x01010101) << 4;  // the product has bit j at 8j, and others elsewhere
  }
  return quants;
}

// Runs 2k and 2k + 1 are the low and the high nibbles of 32 bytes.
Quants nibbles_of_run(const std::uint8_t* bytes, std::size_t sub) {
  Quants quants{};
  for (std::size_t i = 0; i < 8; ++i)
    quants[i] = word_at(bytes + 32 * (sub / 2), i) >> (sub % 2 * 4) & kNibbles;
  return quants;
}

// Bit `sub` of byte i.
Quants with_fifth_bits_of_run(Quants quants, const std::uint8_t* bytes, std::size_t sub) {
  for (std::size_t i = 0; i < 8; ++i) quants[i] |= (word_at(bytes, i) >> sub & 0x01010101) << 4;
  return quants;
}

// In each half of 128 values, run j has the low (j < 2) or high nibbles of 32 bytes and bits 2j, 2j + 1 of 32
// others.
Quants six_bits(const std::uint8_t* block, std::size_t sub) {
  const std::size_t half = sub / 4;
  const std::size_t run = sub % 4;
  const std::uint8_t* low = block + 64 * half + 32 * (run % 2);
  const std::uint8_t* high = block + 128 + 32 * half;
  Quants quants{};
  for (std::size_t i = 0; i < 8; ++i) {
    quants[i] = (word_at(low, i) >> (run / 2 * 4) & kNibbles) | (word_at(high, i) >> (2 * run) & 0x03030303)
                                                                    << 4;
  }
  return quants;
}

}  // namespace

Quants read_quants(std::int32_t dtype, const std::uint8_t* block, std::size_t sub) {
  Quants bytes{};
  switch (dtype) {
    case BELAY_DTYPE_Q8_0:
      std::memcpy(bytes.data(), block + 2, sizeof bytes);
      return bytes;
    case BELAY_DTYPE_Q4_0:
      return nibbles(block + 2);
    case BELAY_DTYPE_Q4_1:
      return nibbles(block + 4);
    case BELAY_DTYPE_Q5_0:
      return with_fifth_bits(nibbles(block + 6), block + 2);
    case BELAY_DTYPE_Q5_1:
      return with_fifth_bits(nibbles(block + 8), block + 4);
    case BELAY_DTYPE_Q4_K:
      return nibbles_of_run(block + 16, sub);
    case BELAY_DTYPE_Q5_K:
      return with_fifth_bits_of_run(nibbles_of_run(block + 48, sub), block + 16, sub);
    default:
      return six_bits(block, sub);
  }
}

SmallScales small_scales(const std::uint8_t* block, std::size_t sub) {
  const std::uint8_t* s = block + 4;
  if (sub < 4) return {static_cast<std::uint8_t>(s[sub] & 63), static_cast<std::uint8_t>(s[sub + 4] & 63)};
  // The upper two bits of what belongs to run sub - 4.
  return {static_cast<std::uint8_t>((s[sub + 4] & 15) | s[sub - 4] >> 6 << 4),
          static_cast<std::uint8_t>(s[sub + 4] >> 4 | s[sub] >> 6 << 4)};
}

}  // namespace belay::cuda
