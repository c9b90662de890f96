// The weight formats as the kernels of linear see them, each written once: weight_planes.h says how they lie.
// Device code.
//
// A quantised format is `Format<Quants, Scales>`, for blocks of 32 values v:
//
//   Quants::Raw                what a block takes from memory; fetch(planes, b) loads it
//   Quants::word(raw, j)       the values 4j..4j+3 as signed bytes, j = 0..7: kUnit * q
//   Quants::part(...)          the words j and j + 4 of a block alone, by loads of 4 bytes
//   Scales::Values             fetch(planes, b, unit): `scale` of the bytes, and `second`, which is
//     kOffset                  what is added to the value
//     kTwo                     the scale of the values 16..31
//                              (neither: unused)
//
// A value is scale * byte + offset with at most one rounding: scales are exact, kUnit is a power of two.
// A float format has the words' part() in floats.
#pragma once

#include "plugins/cuda_sm61/kernels/device.h"
#include "plugins/cuda_sm61/kernels/weight_planes.h"

// Entry i of an array, through the read-only cache.
template <class T>
BELAY_DEVICE T plane_at(const void* plane, int i) {
  return load_constant(static_cast<const T*>(plane) + i);
}

BELAY_DEVICE unsigned word_of(const uint4& words, int i) {
  return i == 0 ? words.x : i == 1 ? words.y : i == 2 ? words.z : words.w;
}

// Byte i of four signed ones.
BELAY_DEVICE float byte_of(unsigned word, int i) {
  return static_cast<float>(static_cast<signed char>(word >> (8 * i)));
}

// word >> shift, or to the left when it is negative.
BELAY_DEVICE unsigned shifted(unsigned word, int shift) {
  return shift >= 0 ? word >> shift : word << -shift;
}

struct ByteQuants {
  static constexpr int kUnit = 1;
  struct Raw {
    uint4 low;
    uint4 high;
  };
  BELAY_DEVICE Raw fetch(const WeightPlanes& planes, int b) {
    return {plane_at<uint4>(planes.quants, b), plane_at<uint4>(planes.extra, b)};
  }
  BELAY_DEVICE unsigned word(const Raw& raw, int j) {
    return j < 4 ? word_of(raw.low, j) : word_of(raw.high, j - 4);
  }
  BELAY_DEVICE uint2 part(const WeightPlanes& planes, int b, int j) {
    return make_uint2(plane_at<unsigned>(planes.quants, 4 * b + j),
                      plane_at<unsigned>(planes.extra, 4 * b + j));
  }
};

// The nibbles of a word: signed ones become the upper halves of the bytes, unsigned ones the lower.
template <bool kSigned>
BELAY_DEVICE unsigned low_nibbles(unsigned word) {
  return kSigned ? word << 4 & 0xf0f0f0f0u : word & 0x0f0f0f0fu;
}
template <bool kSigned>
BELAY_DEVICE unsigned high_nibbles(unsigned word) {
  return kSigned ? word & 0xf0f0f0f0u : word >> 4 & 0x0f0f0f0fu;
}

// Signed: 16 * (q - 8).
template <bool kSigned>
struct NibbleQuants {
  static constexpr int kUnit = kSigned ? 16 : 1;
  struct Raw {
    uint4 nibbles;
  };
  BELAY_DEVICE Raw fetch(const WeightPlanes& planes, int b) { return {plane_at<uint4>(planes.quants, b)}; }
  BELAY_DEVICE unsigned word(const Raw& raw, int j) {
    return j < 4 ? low_nibbles<kSigned>(word_of(raw.nibbles, j))
                 : high_nibbles<kSigned>(word_of(raw.nibbles, j - 4));
  }
  BELAY_DEVICE uint2 part(const WeightPlanes& planes, int b, int j) {
    const unsigned nibbles = plane_at<unsigned>(planes.quants, 4 * b + j);
    return make_uint2(low_nibbles<kSigned>(nibbles), high_nibbles<kSigned>(nibbles));
  }
};

// Signed: 8 * (q - 16), the bit below the nibble; unsigned: q, the bit above it.
template <bool kSigned>
struct FiveBitQuants {
  static constexpr int kUnit = kSigned ? 8 : 1;
  struct Raw {
    uint4 nibbles;
    unsigned bits;
  };
  BELAY_DEVICE Raw fetch(const WeightPlanes& planes, int b) {
    return {plane_at<uint4>(planes.quants, b), plane_at<unsigned>(planes.extra, b)};
  }
  BELAY_DEVICE unsigned word(const Raw& raw, int j) {
    return j < 4 ? low(word_of(raw.nibbles, j), raw.bits, j)
                 : high(word_of(raw.nibbles, j - 4), raw.bits, j - 4);
  }
  BELAY_DEVICE uint2 part(const WeightPlanes& planes, int b, int j) {
    const unsigned nibbles = plane_at<unsigned>(planes.quants, 4 * b + j);
    const unsigned bits = plane_at<unsigned>(planes.extra, b);
    return make_uint2(low(nibbles, bits, j), high(nibbles, bits, j));
  }

 private:
  // Bit j of each byte goes to this place.
  static constexpr int kPlace = kSigned ? 3 : 4;
  static constexpr unsigned kMask = 0x01010101u << kPlace;
  BELAY_DEVICE unsigned low(unsigned nibbles, unsigned bits, int j) {
    return low_nibbles<kSigned>(nibbles) | (bits << (kPlace - j) & kMask);
  }
  BELAY_DEVICE unsigned high(unsigned nibbles, unsigned bits, int j) {
    return high_nibbles<kSigned>(nibbles) | (bits >> (4 + j - kPlace) & kMask);
  }
};

// 4 * (q - 32).
struct SixBitQuants {
  static constexpr int kUnit = 4;
  struct Raw {
    uint4 nibbles;
    uint2 pairs;
  };
  BELAY_DEVICE Raw fetch(const WeightPlanes& planes, int b) {
    return {plane_at<uint4>(planes.quants, b), plane_at<uint2>(planes.extra, b)};
  }
  BELAY_DEVICE unsigned word(const Raw& raw, int j) {
    return j < 4 ? low_nibbles<true>(word_of(raw.nibbles, j)) | place(raw.pairs.x, j)
                 : high_nibbles<true>(word_of(raw.nibbles, j - 4)) | place(raw.pairs.y, j - 4);
  }
  BELAY_DEVICE uint2 part(const WeightPlanes& planes, int b, int j) {
    const unsigned nibbles = plane_at<unsigned>(planes.quants, 4 * b + j);
    const uint2 pairs = plane_at<uint2>(planes.extra, b);
    return make_uint2(low_nibbles<true>(nibbles) | place(pairs.x, j),
                      high_nibbles<true>(nibbles) | place(pairs.y, j));
  }

 private:
  // Bits 2j and 2j + 1 of each byte become bits 2 and 3.
  BELAY_DEVICE unsigned place(unsigned pairs, int j) { return shifted(pairs, 2 * j - 2) & 0x0c0c0c0cu; }
};

struct ScaleValues {
  float scale;
  float second;
};

BELAY_DEVICE float low_half(unsigned halves) {
  return half_to_float(static_cast<unsigned short>(halves & 0xffffu));
}
BELAY_DEVICE float high_half(unsigned halves) {
  return half_to_float(static_cast<unsigned short>(halves >> 16));
}

struct HalfScales {
  static constexpr bool kOffset = false;
  static constexpr bool kTwo = false;
  BELAY_DEVICE ScaleValues fetch(const WeightPlanes& planes, int b, float unit) {
    return {half_to_float(plane_at<unsigned short>(planes.scales, b)) * unit, 0.0f};
  }
};

struct HalfScaleMins {
  static constexpr bool kOffset = true;
  static constexpr bool kTwo = false;
  BELAY_DEVICE ScaleValues fetch(const WeightPlanes& planes, int b, float unit) {
    const unsigned halves = plane_at<unsigned>(planes.scales, b);
    return {low_half(halves) * unit, high_half(halves)};
  }
};

struct SuperScaleMins {
  static constexpr bool kOffset = true;
  static constexpr bool kTwo = false;
  BELAY_DEVICE ScaleValues fetch(const WeightPlanes& planes, int b, float unit) {
    const unsigned halves = plane_at<unsigned>(planes.supers, b >> 3);
    const unsigned small = plane_at<unsigned short>(planes.scales, b);
    return {low_half(halves) * unit * static_cast<float>(small & 0xffu),
            -high_half(halves) * static_cast<float>(small >> 8)};
  }
};

struct SuperScalePairs {
  static constexpr bool kOffset = false;
  static constexpr bool kTwo = true;
  BELAY_DEVICE ScaleValues fetch(const WeightPlanes& planes, int b, float unit) {
    const float d = half_to_float(plane_at<unsigned short>(planes.supers, b >> 3)) * unit;
    const unsigned small = plane_at<unsigned short>(planes.scales, b);
    return {d * byte_of(small, 0), d * byte_of(small, 1)};
  }
};

// 8 values of a row as floats: `first` are the values from first_of(p) on, `second` those from second_of(p)
// on. A row has parts_of(K) parts, which are numbered row by row. fetch_block gives the four parts of block b
// of the row that begins with part `row`.
struct Part {
  float4 first;
  float4 second;
};

template <class QuantsOf, class ScalesOf>
struct Format {
  using Quants = QuantsOf;
  using Scales = ScalesOf;
  static constexpr bool kWholeBlocks = true;  // K is a multiple of 32
  BELAY_DEVICE ScaleValues scales(const WeightPlanes& planes, int b) {
    return Scales::fetch(planes, b, 1.0f / Quants::kUnit);
  }

  BELAY_DEVICE int parts_of(int k) { return k / 8; }
  BELAY_DEVICE int first_of(int p) { return (p >> 2) * 32 + (p & 3) * 4; }
  BELAY_DEVICE int second_of(int p) { return first_of(p) + 16; }
  BELAY_DEVICE Part part(const WeightPlanes& planes, int p) {
    return floats(Quants::part(planes, p >> 2, p & 3), scales(planes, p >> 2));
  }
  BELAY_DEVICE void block(const WeightPlanes& planes, int row, int b, int, Part (&parts)[4]) {
    const typename Quants::Raw raw = Quants::fetch(planes, row / 4 + b);
    const ScaleValues values = scales(planes, row / 4 + b);
    BELAY_UNROLL
    for (int j = 0; j < 4; ++j) {
      parts[j] = floats(make_uint2(Quants::word(raw, j), Quants::word(raw, j + 4)), values);
    }
  }

 private:
  BELAY_DEVICE Part floats(uint2 words, const ScaleValues& values) {
    const float offset = Scales::kOffset ? values.second : 0.0f;
    const float scale = Scales::kTwo ? values.second : values.scale;
    return {quad(words.x, values.scale, offset), quad(words.y, scale, offset)};
  }
  BELAY_DEVICE float4 quad(unsigned word, float scale, float offset) {
    if (!Scales::kOffset) {
      return make_float4(byte_of(word, 0) * scale, byte_of(word, 1) * scale, byte_of(word, 2) * scale,
                         byte_of(word, 3) * scale);
    }
    return make_float4(fmaf(byte_of(word, 0), scale, offset), fmaf(byte_of(word, 1), scale, offset),
                       fmaf(byte_of(word, 2), scale, offset), fmaf(byte_of(word, 3), scale, offset));
  }
};

// Elements that `Widen` makes floats: Widen::part(planes, p).
template <class Widen>
struct FloatFormat {
  static constexpr bool kWholeBlocks = false;
  BELAY_DEVICE int parts_of(int k) { return (k + 7) / 8; }
  BELAY_DEVICE int first_of(int p) { return 8 * p; }
  BELAY_DEVICE int second_of(int p) { return 8 * p + 4; }
  BELAY_DEVICE Part part(const WeightPlanes& planes, int p) { return Widen::part(planes, p); }
  BELAY_DEVICE void block(const WeightPlanes& planes, int row, int b, int parts_of_row, Part (&parts)[4]) {
    BELAY_UNROLL
    for (int j = 0; j < 4; ++j) {
      const Part none = {make_float4(0.0f, 0.0f, 0.0f, 0.0f), make_float4(0.0f, 0.0f, 0.0f, 0.0f)};
      parts[j] = 4 * b + j < parts_of_row ? part(planes, row + 4 * b + j) : none;
    }
  }
};

struct WidenF32 {
  BELAY_DEVICE Part part(const WeightPlanes& planes, int p) {
    return {plane_at<float4>(planes.quants, 2 * p), plane_at<float4>(planes.quants, 2 * p + 1)};
  }
};

struct WidenF16 {
  BELAY_DEVICE Part part(const WeightPlanes& planes, int p) {
    const uint4 v = plane_at<uint4>(planes.quants, p);
    return {make_float4(low_half(v.x), high_half(v.x), low_half(v.y), high_half(v.y)),
            make_float4(low_half(v.z), high_half(v.z), low_half(v.w), high_half(v.w))};
  }
};

struct WidenBF16 {
  BELAY_DEVICE Part part(const WeightPlanes& planes, int p) {
    const uint4 v = plane_at<uint4>(planes.quants, p);
    return {make_float4(low(v.x), high(v.x), low(v.y), high(v.y)),
            make_float4(low(v.z), high(v.z), low(v.w), high(v.w))};
  }

 private:
  BELAY_DEVICE float low(unsigned word) { return bits_to_float(word << 16); }
  BELAY_DEVICE float high(unsigned word) { return bits_to_float(word & 0xffff0000u); }
};

using FormatF32 = FloatFormat<WidenF32>;
using FormatF16 = FloatFormat<WidenF16>;
using FormatBF16 = FloatFormat<WidenBF16>;
using FormatQ8_0 = Format<ByteQuants, HalfScales>;
using FormatQ4_0 = Format<NibbleQuants<true>, HalfScales>;
using FormatQ4_1 = Format<NibbleQuants<false>, HalfScaleMins>;
using FormatQ5_0 = Format<FiveBitQuants<true>, HalfScales>;
using FormatQ5_1 = Format<FiveBitQuants<false>, HalfScaleMins>;
using FormatQ4_K = Format<NibbleQuants<false>, SuperScaleMins>;
using FormatQ5_K = Format<FiveBitQuants<false>, SuperScaleMins>;
using FormatQ6_K = Format<SixBitQuants, SuperScalePairs>;
