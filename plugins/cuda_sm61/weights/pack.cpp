#include "plugins/cuda_sm61/weights/pack.hpp"

#include "plugins/cuda_sm61/weights/format.hpp"
#include "plugins/cuda_sm61/weights/layout.hpp"
#include "plugins/cuda_sm61/weights/quants.hpp"

#include <cstring>

namespace belay::cuda {

namespace {

using Quants = const std::uint8_t (&)[32];

// 4 bits of each value, from bit `shift` on.
void put_nibbles(Quants quants, int shift, std::uint8_t* to) {
  for (int i = 0; i < 16; ++i) {
    to[i] = static_cast<std::uint8_t>((quants[i] >> shift & 15) | (quants[i + 16] >> shift & 15) << 4);
  }
}

// Bit `shift` of value v becomes bit v / 4 of byte v % 4.
void put_bits(Quants quants, int shift, std::uint8_t* to) {
  for (int byte = 0; byte < 4; ++byte) {
    int bits = 0;
    for (int j = 0; j < 8; ++j) bits |= (quants[4 * j + byte] >> shift & 1) << j;
    to[byte] = static_cast<std::uint8_t>(bits);
  }
}

// The two low bits of value v become bits 2 * (v / 4 % 4) and the next of byte v % 4 of the first or second
// word.
void put_pairs(Quants quants, std::uint8_t* to) {
  for (int byte = 0; byte < 8; ++byte) {
    int bits = 0;
    for (int j = 0; j < 4; ++j) bits |= (quants[byte / 4 * 16 + 4 * j + byte % 4] & 3) << (2 * j);
    to[byte] = static_cast<std::uint8_t>(bits);
  }
}

// Types with a constant zero are stored as q - zero: their upper four bits, and what is below; the others as
// q, its lower four bits and what is above.
void put_quants(const WeightFormat& format, std::uint8_t (&quants)[32], std::uint8_t* to,
                std::uint8_t* extra) {
  if (format.bits == 8) {
    std::memcpy(to, quants, 16);
    std::memcpy(extra, quants + 16, 16);
    return;
  }
  const bool is_signed = format.zero != 0;
  for (std::uint8_t& q : quants)
    q = static_cast<std::uint8_t>(q ^ format.zero);  // two's complement in `bits` bits
  put_nibbles(quants, is_signed ? format.bits - 4 : 0, to);
  if (format.bits == 5) put_bits(quants, is_signed ? 0 : 4, extra);
  if (format.bits == 6) put_pairs(quants, extra);
}

void put_scales(const WeightFormat& format, const std::uint8_t* block, int sub, std::uint8_t* to) {
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
  const int runs = format.block_values / 32;
  for (int sub = 0; sub < runs; ++sub) {
    const std::int64_t b = index * runs + sub;
    std::uint8_t quants[32];
    read_quants(format.dtype, block, sub, quants);
    put_quants(format, quants, to.quants + b * format.quants, to.extra + b * format.extra);
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
