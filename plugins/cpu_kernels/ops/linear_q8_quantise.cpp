// Activations as signed bytes: how the quantised path of linear gets them from floats.
#include "plugins/cpu_kernels/ops/linear.hpp"
#include "plugins/cpu_kernels/ops/quantise_block.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace belay::BELAY_ISA {
namespace {

// The sum over kCount of the vectors, in the representation of `format`. Of a block that is not finite the
// integers are anything, hence the wrapping.
uint32_t sum_of(const I32* v, int count, float scale, const ActivationFormat& format) {
  I32 total = v[0];
  for (int i = 1; i < count; ++i) total = total + v[i];
  if (format.sums == Sums::kScaled) return std::bit_cast<uint32_t>(scale * sum(to_f32(total)));
  uint32_t lanes[kLanes];
  std::memcpy(lanes, &total, sizeof lanes);
  uint32_t halves[2] = {};
  for (int k = 0; k < kLanes; ++k) halves[k % 4 / 2] += lanes[k];
  const auto zero = static_cast<uint32_t>(-format.zero);
  return (zero * halves[0] & 0xffff) | zero * halves[1] << 16;
}

// 32 bytes to `to`, of which every `width`th quad is this token's.
void store_quads(const int8_t (&q)[32], int64_t width, uint8_t* to) {
  for (int i = 0; i < 8; ++i) std::memcpy(to + 4 * width * i, q + 4 * i, 4);
}

// The same as int16, where a quad becomes its even and its odd bytes.
void store_wide_quads(const int8_t (&q)[32], int64_t width, uint8_t* to) {
  uint8_t pairs[2][32];
  for (int i = 0; i < 32; i += kVectorBytes) {
    const U8 bytes = load_u8(q + i);
    store_u8(as_u8(even_i8(bytes)), pairs[0] + i);
    store_u8(as_u8(odd_i8(bytes)), pairs[1] + i);
  }
  for (int i = 0; i < 8; ++i) {
    std::memcpy(to + 8 * width * i, pairs[0] + 4 * i, 4);
    std::memcpy(to + 8 * width * i + 4 * width, pairs[1] + 4 * i, 4);
  }
}

// Where a token's blocks go.
class TokenWriter {
 public:
  TokenWriter(int64_t cols, int64_t token, int64_t tokens, const ActivationFormat& format,
              const QuantisedActivations& to)
      : format_(format) {
    const int64_t lane = token % format.tile;
    const int64_t first = token - lane;
    width_ = std::min(format.tile, tokens - first);
    q_ = to.q + first * cols * format.bytes + 4 * lane;
    scale_ = to.scale + first * (cols / 32) + lane;
    sums_ = to.sum + first * (cols / format.group) + lane;
  }

  // The next block.
  void write(const I32 (&v)[kBlockVectors], float scale) {
    alignas(32) int8_t bytes[32];
    for (int i = 0; i < kBlockVectors; i += 4)
      store_i8(v[i], v[i + 1], v[i + 2], v[i + 3], bytes + i * kLanes);
    if (format_.bytes == 1) {
      store_quads(bytes, width_, q_);
    } else {
      store_wide_quads(bytes, width_, q_);
    }
    q_ += 32 * width_ * format_.bytes;
    *scale_ = scale;
    scale_ += width_;
    if (format_.sums == Sums::kNone) return;
    const int count = format_.group / kLanes;
    for (int i = 0; i < kBlockVectors; i += count, sums_ += width_)
      *sums_ = sum_of(v + i, count, scale, format_);
  }

 private:
  ActivationFormat format_;
  int64_t width_;
  uint8_t* q_;
  float* scale_;
  uint32_t* sums_;
};

}  // namespace

void quantise_token(const float* x, int64_t cols, int64_t token, int64_t tokens,
                    const ActivationFormat& format, const QuantisedActivations& to) {
  TokenWriter writer(cols, token, tokens, format, to);
  for (int64_t k = 0; k < cols; k += 32) {
    I32 v[kBlockVectors];
    const float scale = quantise_block(x + k, 127.0f, v);
    writer.write(v, scale);
  }
}

void quantise_token_twice(const float* x, int64_t cols, int64_t token, int64_t tokens,
                          const ActivationFormat& format, const QuantisedActivations& to) {
  constexpr float kRadix = 254.0f;  // what is left of a multiple of it fits [-127, 127]
  TokenWriter coarse(cols, token, tokens, format, to);
  TokenWriter fine(cols, token + 1, tokens, format, to);
  for (int64_t k = 0; k < cols; k += 32) {
    I32 v[kBlockVectors];
    I32 high[kBlockVectors];
    const float scale = quantise_block(x + k, 127.0f * kRadix, v);
    for (int i = 0; i < kBlockVectors; ++i) {
      const F32 value = to_f32(v[i]);
      high[i] = round_to_i32(value * splat(1.0f / kRadix));
      v[i] = round_to_i32(value - to_f32(high[i]) * splat(kRadix));
    }
    coarse.write(high, scale * kRadix);
    fine.write(v, scale);
  }
}

}  // namespace belay::BELAY_ISA
