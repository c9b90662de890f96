#include "plugins/cuda_sm61/weights/pack.hpp"

#include "plugins/cuda_sm61/weights/format.hpp"
#include "plugins/cuda_sm61/weights/layout.hpp"
#include "plugins/cuda_sm61/weights/quants.hpp"

#include <cstring>

namespace belay::cuda {

namespace {

void put_word(std::uint32_t word, std::size_t i, std::uint8_t* to) {
  std::memcpy(to + 4 * i, &word, sizeof word);
}

// 4 bits of each value, from bit `shift` on.
void put_nibbles(const Quants& quants, int shift, std::uint8_t* to) {
  constexpr std::uint32_t kNibbles = 0x0f0f0f0f;
  for (std::size_t i = 0; i < 4; ++i) {
    put_word((quants[i] >> shift & kNibbles) | (quants[i + 4] >> shift & kNibbles) << 4, i, to);
  }
}

// Bit `shift` of value v becomes bit v / 4 of byte v % 4.
void put_bits(const Quants& quants, int shift, std::uint8_t* to) {
  std::uint32_t bits = 0;
  for (std::size_t j = 0; j < 8; ++j) bits |= (quants[j] >> shift & 0x01010101) << j;
  put_word(bits, 0, to);
}

// The two low bits of value v become bits 2 * (v / 4 % 4) and the next of byte v % 4 of the first or second
// word.
void put_pairs(const Quants& quants, std::uint8_t* to) {
  for (std::size_t half = 0; half < 2; ++half) {
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 4; ++j) bits |= (quants[4 * half + j] & 0x03030303) << (2 * j);
    put_word(bits, half, to);
  }
}

// Types with a constant zero are stored as q - zero: their upper four bits, and what is below; the others as
// q, its lower four bits and what is above.
void put_quants(const WeightFormat& format, Quants quants, std::uint8_t* to, std::uint8_t* extra) {
  if (format.bits == 8) {
    std::memcpy(to, quants.data(), 16);
    std::memcpy(extra, quants.data() + 4, 16);
    return;
  }
  const bool is_signed = format.zero != 0;
  const std::uint32_t zero = static_cast<std::uint32_t>(format.zero) * 0x01010101;
  for (std::uint32_t& four : quants) four ^= zero;  // two's complement in `bits` bits
  put_nibbles(quants, is_signed ? format.bits - 4 : 0, to);
  if (format.bits == 5) put_bits(quants, is_signed ? 0 : 4, extra);
  if (format.bits == 6) put_pairs(quants, extra);
}

void put_scales(const WeightFormat& format, const std::uint8_t* block, std::size_t sub, std::uint8_t* to) {
  if (format.dtype == BELAY_DTYPE_Q6_K) {
    std::memcpy(to, block + 192 + 2 * sub, 2);
  } else if (format.supers != 0) {
    const SmallScales small = small_scales(block, sub);
    to[0] = small.scale;
    to[1] = small.minimum;
  } else {
    std::memcpy(to, block, static_cast<std::size_t>(format.scales));
  }
}

void pack_float_row(const WeightFormat& format, std::int64_t k, const std::uint8_t* file, std::uint8_t* to) {
  const auto used = static_cast<std::size_t>(k * format.quants);
  const auto padded =
      static_cast<std::size_t>((k + kFloatPart - 1) / kFloatPart * kFloatPart * format.quants);
  std::memcpy(to, file, used);
  std::memset(to + used, 0, padded - used);
}

struct Arrays {
  std::uint8_t* quants;
  std::uint8_t* extra;
  std::uint8_t* scales;
  std::uint8_t* supers;
};

void pack_block(const WeightFormat& format, const std::uint8_t* block, std::int64_t index, const Arrays& to) {
  const auto runs = static_cast<std::size_t>(format.block_values / 32);
  for (std::size_t sub = 0; sub < runs; ++sub) {
    const std::int64_t b = index * format.block_values / 32 + static_cast<std::int64_t>(sub);
    put_quants(format, read_quants(format.dtype, block, sub), to.quants + b * format.quants,
               to.extra + b * format.extra);
    put_scales(format, block, sub, to.scales + b * format.scales);
  }
  const int half = format.dtype == BELAY_DTYPE_Q6_K ? 208 : 0;
  std::memcpy(to.supers + index * format.supers, block + half, static_cast<std::size_t>(format.supers));
}

}  // namespace

void pack_rows(const PackJob& job, std::int64_t first, std::int64_t end) {
  const WeightFormat* format = weight_format(job.dtype);
  const auto layout = packed_layout(job.dtype, job.rows, job.k);
  if (format == nullptr || !layout) return;
  const std::int64_t blocks = job.k / format->block_values;
  if (format->bits == 0) {
    const std::int64_t row_bytes = (job.k + kFloatPart - 1) / kFloatPart * kFloatPart * format->quants;
    for (std::int64_t row = first; row < end; ++row) {
      pack_float_row(*format, job.k, job.file + row * job.k * format->quants, job.out + row * row_bytes);
    }
    return;
  }
  const Arrays to = {job.out + layout->quants, job.out + layout->extra, job.out + layout->scales,
                     job.out + layout->supers};
  for (std::int64_t block = first * blocks; block < end * blocks; ++block) {
    pack_block(*format, job.file + block * format->block_bytes, block, to);
  }
}

void pack(const PackJob& job) { pack_rows(job, 0, job.rows); }

}  // namespace belay::cuda
