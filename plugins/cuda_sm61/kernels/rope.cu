#include "plugins/cuda_sm61/kernels/attention_cache.h"
#include "plugins/cuda_sm61/kernels/device.h"
#include "plugins/cuda_sm61/kernels/quantise.h"
#include "plugins/cuda_sm61/kernels/rope_params.h"
#include "plugins/cuda_sm61/kernels/rows.h"

namespace {

// One head of one token, by one warp.
struct Head {
  const float* from;
  const float* norm;
  float* to;
  void* cache;  // where the head's d elements go in the cache, or null
  int token;
  bool turns;
  float scale;    // of the norm
  float* staged;  // d elements in shared memory, on their way to a q8 cache; or null
};

BELAY_DEVICE long long cache_row_bytes(const RopeKvParams& p) {
  if (p.cache_type == BELAY_ROPE_CACHE_Q8) return p.d / 32 * static_cast<int>(sizeof(Q8Block));
  return p.d * (p.cache_type == BELAY_ROPE_CACHE_F16 ? 2 : 4);
}

BELAY_DEVICE void* in_cache(const RopeKvParams& p, void* cache, int head, int token) {
  if (cache == nullptr) return nullptr;
  // Blocks of 64 positions follow each other, so that position t is row t of its head.
  const long long row = static_cast<long long>(head) * p.blocks * 64 + p.position + token;
  return static_cast<unsigned char*>(cache) + row * cache_row_bytes(p);
}

BELAY_DEVICE Head head_of(const RopeKvParams& p, const HeadRows& rows, int token, int head, void* cache,
                          bool turns) {
  const long long at = (static_cast<long long>(token) * rows.heads + head) * p.d;
  return {rows.from + at,
          rows.norm,
          rows.to == nullptr ? nullptr : rows.to + at,
          in_cache(p, cache, head, token),
          token,
          turns,
          1.0f,
          nullptr};
}

BELAY_DEVICE Head find_head(const RopeKvParams& p, int number) {
  const int heads = p.query.heads + p.key.heads + p.value.heads;
  const int token = number / heads;
  const int head = number % heads;
  if (head < p.query.heads) return head_of(p, p.query, token, head, nullptr, true);
  const int key = head - p.query.heads;
  if (key < p.key.heads) return head_of(p, p.key, token, key, p.k_cache, true);
  return head_of(p, p.value, token, key - p.key.heads, p.v_cache, false);
}

BELAY_DEVICE float normed(const Head& head, int i) {
  return head.norm == nullptr ? head.from[i] : head.from[i] * head.scale * head.norm[i];
}

BELAY_DEVICE void put(const RopeKvParams& p, const Head& head, int i, float value) {
  if (head.to != nullptr) head.to[i] = value;
  if (head.cache == nullptr) return;
  if (head.staged != nullptr) {
    head.staged[i] = value;
  } else if (p.cache_type == BELAY_ROPE_CACHE_F16) {
    static_cast<unsigned short*>(head.cache)[i] = float_to_half(value);
  } else {
    static_cast<float*>(head.cache)[i] = value;
  }
}

// A head's elements from shared memory to its row of a q8 cache, a block at a time, a lane for each element.
BELAY_DEVICE void quantise_row(const float* from, int d, Q8Block* to) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  for (int i = lane; i < d; i += 32, ++to) {
    const float value = from[i];
    unsigned bits = magnitude_bits(value);  // in their order, and a NaN above all
    BELAY_UNROLL
    for (int offset = 16; offset > 0; offset /= 2)
      bits = larger_bits(bits, __shfl_xor_sync(BELAY_FULL_WARP, bits, offset));
    const float largest = bits_to_float(bits);
    const HalfBits scale = float_to_half(largest / 127.0f);
    // Where the scale is 0 the inverse may overflow.
    to->q[lane] = static_cast<signed char>(scale != 0 ? round_to_int(value * (127.0f / largest)) : 0);
    if (lane == 0) to->scale = scale;
  }
}

// Sine and cosine of `position` times the turns of a pair. The whole turns are dropped before anything is
// rounded.
BELAY_DEVICE void turn_of(const float* turns, int position, float* sine, float* cosine) {
  const auto p = static_cast<float>(position);
  const float product = p * turns[0];
  const float rest = fmaf(p, turns[0], -product) + p * turns[1];
  const float part = (product - rintf(product)) + rest;
  sincospif(2.0f * part, sine, cosine);
}

BELAY_DEVICE void turn_pairs(const RopeKvParams& p, const Head& head, int lane) {
  const int pairs = p.rotary / 2;
  for (int pair = lane; pair < pairs; pair += 32) {
    const int axis = p.axes == nullptr ? 0 : p.axes[pair];
    float sine = 0.0f;
    float cosine = 0.0f;
    turn_of(p.turns + 2 * pair, p.positions[axis * p.tokens + head.token], &sine, &cosine);
    const int first = p.adjacent != 0 ? 2 * pair : pair;
    const int second = p.adjacent != 0 ? first + 1 : first + pairs;
    const float x = normed(head, first);
    const float y = normed(head, second);
    put(p, head, first, x * cosine - y * sine);
    put(p, head, second, y * cosine + x * sine);
  }
}

}  // namespace

BELAY_KERNEL_BOUNDS(belay_rope_kv, RopeKvParams p, 128, 8) {
  BELAY_SHARED(float, rows, 4 * BELAY_ROPE_MOST_Q8);
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int number = static_cast<int>(blockIdx.x * 4 + threadIdx.x / 32);
  if (number >= p.tokens * (p.query.heads + p.key.heads + p.value.heads)) return;
  Head head = find_head(p, number);
  if (p.cache_type == BELAY_ROPE_CACHE_Q8 && head.cache != nullptr)
    head.staged = rows + threadIdx.x / 32 * BELAY_ROPE_MOST_Q8;
  if (head.norm != nullptr) {
    float squares = 0.0f;  // in the order of belay_rms_norm_short
    for (int quad = lane; 4 * quad < p.d; quad += 32) {
      const float4 value = load_quad(head.from, quad, p.d);
      squares = add_dot(squares, value, value);
    }
    head.scale = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(p.d) + p.epsilon);
    __syncwarp();  // all have read what turning writes, where `to` is `from`
  }
  if (head.turns) turn_pairs(p, head, lane);
  for (int i = (head.turns ? p.rotary : 0) + lane; i < p.d; i += 32) put(p, head, i, normed(head, i));
  if (head.staged == nullptr) return;
  __syncwarp();
  quantise_row(head.staged, p.d, static_cast<Q8Block*>(head.cache));
}
