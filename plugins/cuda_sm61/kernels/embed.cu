#include "plugins/cuda_sm61/kernels/device.h"
#include "plugins/cuda_sm61/kernels/embed_params.h"

// Element i of a row, for each type. The formulas of the blocks: plugins/cpu_kernels/quant/. Blocks have even
// sizes, so that their half floats are aligned.
namespace {

using Byte = unsigned char;

BELAY_DEVICE float half_at(const Byte* at) {
  return half_to_float(*reinterpret_cast<const unsigned short*>(at));
}

// The 4-bit quant i of 16 bytes that hold 32: the first half in the low nibbles.
BELAY_DEVICE int nibble(const Byte* quants, int i) { return quants[i % 16] >> (i / 16 * 4) & 15; }

// Bit i of four bytes.
BELAY_DEVICE int bit(const Byte* bits, int i) { return bits[i / 8] >> (i % 8) & 1; }

struct F32 {
  BELAY_DEVICE float at(const Byte* row, int i) { return reinterpret_cast<const float*>(row)[i]; }
};
struct F16 {
  BELAY_DEVICE float at(const Byte* row, int i) { return half_at(row + 2 * i); }
};
struct Bf16 {
  BELAY_DEVICE float at(const Byte* row, int i) {
    return bfloat16_to_float(reinterpret_cast<const unsigned short*>(row)[i]);
  }
};
struct Q80 {
  BELAY_DEVICE float at(const Byte* row, int i) {
    const Byte* const block = row + i / 32 * 34;
    return half_at(block) * static_cast<float>(reinterpret_cast<const signed char*>(block + 2)[i % 32]);
  }
};
struct Q40 {
  BELAY_DEVICE float at(const Byte* row, int i) {
    const Byte* const block = row + i / 32 * 18;
    return half_at(block) * static_cast<float>(nibble(block + 2, i % 32) - 8);
  }
};
struct Q41 {
  BELAY_DEVICE float at(const Byte* row, int i) {
    const Byte* const block = row + i / 32 * 20;
    return fmaf(half_at(block), static_cast<float>(nibble(block + 4, i % 32)), half_at(block + 2));
  }
};
struct Q50 {
  BELAY_DEVICE float at(const Byte* row, int i) {
    const Byte* const block = row + i / 32 * 22;
    return half_at(block) * static_cast<float>(nibble(block + 6, i % 32) + 16 * bit(block + 2, i % 32) - 16);
  }
};
struct Q51 {
  BELAY_DEVICE float at(const Byte* row, int i) {
    const Byte* const block = row + i / 32 * 24;
    const int quant = nibble(block + 8, i % 32) + 16 * bit(block + 4, i % 32);
    return fmaf(half_at(block), static_cast<float>(quant), half_at(block + 2));
  }
};

// The two-level blocks of 256 with 6-bit scales and minimums: of part i / 32, from 12 bytes.
struct ScaleAndMin {
  int scale;
  int min;
};
BELAY_DEVICE ScaleAndMin scale_and_min(const Byte* scales, int part) {
  if (part < 4) return {scales[part] & 63, scales[part + 4] & 63};
  return {(scales[part + 4] & 15) | (scales[part - 4] >> 6) << 4, scales[part + 4] >> 4 | (scales[part] >> 6)
                                                                                              << 4};
}
BELAY_DEVICE float two_level(const Byte* block, int part, int quant) {
  const ScaleAndMin pair = scale_and_min(block + 4, part);
  const float scale = half_at(block) * static_cast<float>(pair.scale);
  const float min = half_at(block + 2) * static_cast<float>(pair.min);
  return scale * static_cast<float>(quant) - min;
}
// Parts of 32 lie in pairs: the even one in the low nibbles of 32 bytes, the odd one in the high ones.
BELAY_DEVICE int paired_nibble(const Byte* quants, int i) {
  return quants[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15;
}

struct Q4K {
  BELAY_DEVICE float at(const Byte* row, int i) {
    const Byte* const block = row + i / 256 * 144;
    return two_level(block, i % 256 / 32, paired_nibble(block + 16, i % 256));
  }
};
struct Q5K {
  BELAY_DEVICE float at(const Byte* row, int i) {
    const Byte* const block = row + i / 256 * 176;
    const int part = i % 256 / 32;
    const int fifth = block[16 + i % 32] >> part & 1;
    return two_level(block, part, paired_nibble(block + 48, i % 256) + 16 * fifth);
  }
};
struct Q6K {
  BELAY_DEVICE float at(const Byte* row, int i) {
    const Byte* const block = row + i / 256 * 210;
    const int half = i % 256 / 128;
    const int quarter = i % 128 / 32;
    const int low = block[64 * half + 32 * (quarter % 2) + i % 32] >> (quarter / 2 * 4) & 15;
    const int high = block[128 + 32 * half + i % 32] >> (2 * quarter) & 3;
    const auto scale = static_cast<float>(reinterpret_cast<const signed char*>(block + 192)[i % 256 / 16]);
    return half_at(block + 208) * scale * static_cast<float>(low + 16 * high - 32);
  }
};

template <class Type>
BELAY_DEVICE void embed(const EmbedParams& p, int id, float* y) {
  const Byte* const row = static_cast<const Byte*>(p.table) + p.row_bytes * id;
  for (int i = static_cast<int>(threadIdx.x); i < p.width; i += 256) y[i] = Type::at(row, i);
}

}  // namespace

BELAY_KERNEL_BOUNDS(belay_embed, EmbedParams p, 256, 4) {
  const int id = p.ids[blockIdx.x];
  float* const y = p.y + static_cast<long long>(blockIdx.x) * p.width;
  if (id < 0 || id >= p.vocab) {
    for (int i = static_cast<int>(threadIdx.x); i < p.width; i += 256) y[i] = 0.0f;
    return;
  }
  switch (p.type) {  // BELAY_DTYPE_*, which NVRTC cannot include
    case 0:
      return embed<F32>(p, id, y);
    case 1:
      return embed<F16>(p, id, y);
    case 2:
      return embed<Bf16>(p, id, y);
    case 16:
      return embed<Q80>(p, id, y);
    case 17:
      return embed<Q40>(p, id, y);
    case 18:
      return embed<Q41>(p, id, y);
    case 19:
      return embed<Q50>(p, id, y);
    case 20:
      return embed<Q51>(p, id, y);
    case 21:
      return embed<Q4K>(p, id, y);
    case 22:
      return embed<Q5K>(p, id, y);
    case 23:
      return embed<Q6K>(p, id, y);
    default:
      break;
  }
}
