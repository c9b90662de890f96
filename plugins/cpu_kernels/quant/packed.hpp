// The packed form of a quantised weight: rows side by side, kLanes at a time, so that a lane is a row and a
// group of rows is read from its first byte to its last, as one stream. It takes the bytes of the file's
// blocks; groups begin at cache lines.
//
//   group of kLanes rows    chunks of 4 blocks of 32 values, the last perhaps of fewer, or of one block of
//                           256; the last group is filled up with the last row
//   chunk                   [scales of each block][quants of each 32 values]
//   scales                  half floats [F::kHalves][row], then the format's small integers, bytes
//                           [integer][row], as PackedQuads
//   quants                  PackedQuads of 8: quad i holds the values 4i..4i+3 of each row, [row][4] bytes
#pragma once

#include "plugins/cpu_kernels/quant/visit.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace belay::BELAY_ISA {

// `kBits` bits of each byte of kQuads quads: quad i lies in vector i % kVectors, i / kVectors fields up.
template <int kBits, int kQuads>
struct Field {
  static constexpr int kVectors = kQuads * kBits / 8;
  static constexpr int kMask = (1 << kBits) - 1;
  using Vectors = U8[std::max(kVectors, 1)];

  // Adds quad i, whose bytes are at most kMask.
  static void put(U8 quad, int i, Vectors& vectors) {
    U8& v = vectors[i % kVectors];
    v = v | shift_left(quad, kBits * (i / kVectors));
  }
  // Quad i, its bits from bit `at` of a byte on.
  static U8 get(const Vectors& vectors, int i, int at) {
    const int down = kBits * (i / kVectors) - at;
    const U8 v = vectors[i % kVectors];
    if constexpr (kBits == 8) return v;
    return (down >= 0 ? shift_right(v, down) : shift_left(v, -down)) &
           splat_u8(static_cast<uint8_t>(kMask << at));
  }
};

// kQuads quads of bytes below 2^kBits, of which quad() unpacks one: their low nibbles, then what is above; 8
// bits as they are.
template <int kBits, int kQuads>
struct PackedQuads {
  using Low = Field<kBits == 8 ? 8 : 4, kQuads>;
  using High = Field<kBits == 8 ? 0 : kBits - 4, kQuads>;
  static constexpr int kBytes = (Low::kVectors + High::kVectors) * kVectorBytes;

  static void store(const U8 (&quads)[kQuads], uint8_t* to) {
    typename Low::Vectors low;
    typename High::Vectors high;
    for (U8& v : low) v = splat_u8(0);
    for (U8& v : high) v = splat_u8(0);
    for (int i = 0; i < kQuads; ++i) {
      Low::put(quads[i] & splat_u8(Low::kMask), i, low);
      if constexpr (High::kVectors > 0) High::put(shift_right(quads[i], 4) & splat_u8(High::kMask), i, high);
    }
    for (int i = 0; i < Low::kVectors; ++i) store_u8(low[i], to + i * kVectorBytes);
    for (int i = 0; i < High::kVectors; ++i) store_u8(high[i], to + (Low::kVectors + i) * kVectorBytes);
  }

  static U8 quad(const uint8_t* from, int i) {
    typename Low::Vectors low;
    const int at = i % Low::kVectors;
    low[at] = load_u8(from + at * kVectorBytes);
    const U8 quad = Low::get(low, i, 0);
    if constexpr (High::kVectors == 0) {
      return quad;
    } else {
      typename High::Vectors high;
      const int above = i % High::kVectors;
      high[above] = load_u8(from + (Low::kVectors + above) * kVectorBytes);
      return quad | High::get(high, i, 4);
    }
  }
};

// 6 bits: of four quads three lie in a vector each, and the fourth in the upper two bits of these, which
// takes 11 operations to unpack where nibbles and what is above take 15 to 19.
template <int kQuads>
struct PackedQuads<6, kQuads> {
  static constexpr int kBytes = kQuads / 4 * 3 * kVectorBytes;

  static void store(const U8 (&quads)[kQuads], uint8_t* to) {
    for (int i = 0; i < kQuads; i += 4) {
      for (int v = 0; v < 3; ++v, to += kVectorBytes)
        store_u8(quads[i + v] | (shift_left(quads[i + 3], 2 + 2 * v) & splat_u8(0xc0)), to);
    }
  }

  static U8 quad(const uint8_t* from, int i) {
    from += i / 4 * 3 * kVectorBytes;
    if (i % 4 < 3) return load_u8(from + i % 4 * kVectorBytes) & splat_u8(0x3f);
    const auto upper = [&](int v) {
      return shift_right(load_u8(from + v * kVectorBytes) & splat_u8(0xc0), 2 + 2 * v);
    };
    return upper(0) | upper(1) | upper(2);
  }
};

template <class Quads, int kQuads>
inline void load_quads(const uint8_t* from, U8 (&quads)[kQuads]) {
#pragma GCC unroll 8
  for (int i = 0; i < kQuads; ++i) quads[i] = Quads::quad(from, i);
}

template <class F>
struct Packed {
  using Quants = PackedQuads<F::kBits, 8>;
  using Small = PackedQuads<F::kSmallBits == 0 ? 8 : F::kSmallBits, 4>;
  static constexpr int kHalfBytes = 2 * kLanes;  // a half float of each row
  static constexpr int kHalves = std::size(F::kHalves);
  static constexpr int kScaleBytes = [] {  // of a block
    if constexpr (F::kSmallBits == 0) {
      return kHalves * kHalfBytes;
    } else {
      return kHalves * kHalfBytes + Small::kBytes;
    }
  }();
  static constexpr int kQuantBytes = F::kBlock / 32 * Quants::kBytes;  // of a block
  static constexpr int64_t kChunkBlocks = F::kBlock == 32 ? 4 : 1;
  static constexpr int64_t kChunk = kChunkBlocks * F::kBlock;  // values

  static uint64_t group_bytes(int64_t cols) {
    return (static_cast<uint64_t>(cols / F::kBlock * (kScaleBytes + kQuantBytes)) + 63) / 64 * 64;
  }

  // Calls body(k, scales, quants) for the blocks with values [first, first + count) of each row of a group,
  // in order. `first` is a multiple of kChunk.
  template <class Byte, class Body>
  [[gnu::always_inline]] static void for_blocks(Byte* group, int64_t cols, int64_t first, int64_t count,
                                                Body&& body) {
    Byte* scales = group + first / F::kBlock * (kScaleBytes + kQuantBytes);
    for (int64_t k = first; k < first + count;) {
      const int64_t blocks = std::min(kChunkBlocks, (cols - k) / F::kBlock);
      Byte* quants = scales + blocks * kScaleBytes;
      for (int64_t b = 0; b < blocks; ++b, k += F::kBlock) {
        body(k, scales + b * kScaleBytes, quants);
        quants += kQuantBytes;
      }
      scales = quants;
    }
  }

  static void pack_group(const Rows& rows, int64_t cols, uint8_t* to) {
    for_blocks(to, cols, 0, cols, [&](int64_t k, uint8_t* scales, uint8_t* quants) {
      Rows at;
      for (int r = 0; r < kLanes; ++r) at[r] = rows[r] + k / F::kBlock * F::kBytes;
      pack_scales(at, scales);
      for (int i = 0; i < F::kBlock / 32; ++i, quants += Quants::kBytes) {
        Bytes q[kLanes];
        for (int r = 0; r < kLanes; ++r) q[r] = F::quants(at[r], i);
        U8 quads[8];
        interleave(q, quads);
        Quants::store(quads, quants);
      }
    });
  }

  // The scales and offsets of a block with the same bits as those of F::affine, each made where it is used:
  // in memory lie only the small integers, a quarter of the bytes.
  class Affine {
   public:
    void load(const uint8_t* scales) {
      scale_ = load_f16(scales);
      if constexpr (kHalves == 2) offset_ = load_f16(scales + kHalfBytes);
      if constexpr (F::kSmallBits != 0) {
        if constexpr (kHalves == 2) offset_ = zero() - offset_;
        small_ = scales + kHalves * kHalfBytes;
        if constexpr (F::kSmallBits != 8) {
#pragma GCC unroll 4
          for (int i = 0; i < 4; ++i) store_u8(Small::quad(small_, i), unpacked_ + i * kVectorBytes);
        }
      }
    }
    [[nodiscard]] F32 scale(int g) const { return F::kSmallBits == 0 ? scale_ : small(g) * scale_; }
    [[nodiscard]] F32 offset(int g) const {
      if (kHalves == 1) return scale(g) * splat(-F::kZero);
      return F::kSmallBits == 0 ? offset_ : small(kGroups<F> + g) * offset_;
    }

   private:
    [[nodiscard]] F32 small(int i) const {
      const uint8_t* bytes = F::kSmallBits == 8 ? small_ : unpacked_;
      return load_i8_as_f32(reinterpret_cast<const int8_t*>(bytes) + i * kLanes);
    }

    F32 scale_;
    F32 offset_;
    const uint8_t* small_;
    uint8_t unpacked_[16 * kLanes];
  };

 private:
  static void pack_scales(const Rows& rows, uint8_t* to) {
    for (const int at : F::kHalves) {
      for (int r = 0; r < kLanes; ++r) std::memcpy(to + 2 * r, rows[r] + at, 2);
      to += kHalfBytes;
    }
    if constexpr (F::kSmallBits != 0) {
      uint8_t small[16][kLanes];
      for (int r = 0; r < kLanes; ++r) {
        uint8_t integers[16];
        F::small(rows[r], integers);
        for (int i = 0; i < 16; ++i) small[i][r] = integers[i];
      }
      U8 vectors[4];
      for (int i = 0; i < 4; ++i) vectors[i] = load_u8(small[4 * i]);
      Small::store(vectors, to);
    }
  }
};

// visit() for instruction sets that pack; nothing for the others, which do not even get the code.
template <class Body>
void visit_packed(int32_t dtype, Body&& body) {
  if constexpr (kPacksWeights) visit(dtype, std::forward<Body>(body));
}

}  // namespace belay::BELAY_ISA
