#include "plugins/cuda_sm61/kernels/attention_cache.h"
#include "plugins/cuda_sm61/kernels/attention_params.h"
#include "plugins/cuda_sm61/kernels/last_block.h"
#include "plugins/cuda_sm61/kernels/quantise.h"

namespace {

constexpr int kGroup = BELAY_ATTENTION_GROUP;  // query heads of a block
constexpr int kWarps = 4;
constexpr int kStep = 32;  // keys of a warp's step: one for each lane

// What a block works on.
struct Share {
  int kv_head;
  int head;   // the first query head
  int count;  // of query heads
  int begin;  // keys
  int end;
};

BELAY_DEVICE Share share_of(const AttentionParams& p) {
  const int sharing = p.heads / p.kv_heads;
  const int groups = (sharing + kGroup - 1) / kGroup;
  const int kv_head = static_cast<int>(blockIdx.y) / groups;
  const int first = static_cast<int>(blockIdx.y) % groups * kGroup;
  const int visible = p.causal != 0 ? p.position + static_cast<int>(blockIdx.z) + 1 : p.keys;
  const int begin = static_cast<int>(blockIdx.x) * p.split_keys;
  return {kv_head, kv_head * sharing + first, min(kGroup, sharing - first), begin,
          min(begin + p.split_keys, visible)};
}

// Softmax in progress of one warp over the keys that it has seen: for each query head the largest score, each
// lane's share of the sum of weights, and each lane's columns of the weighted sum of values.
template <int kChunks>
struct Progress {
  float largest[kGroup];
  float sum[kGroup];
  float4 value[kGroup][kChunks];
};

// Which quads of a row a lane works on. Rows of 64 elements take half a warp, so that it does two keys at a
// time.
template <int kDim>
struct Lanes {
  static constexpr int kQuads = kDim / 4;
  static constexpr int kPerKey = kQuads < 32 ? kQuads : 32;
  static constexpr int kKeys = 32 / kPerKey;
  static constexpr int kChunks = kQuads / kPerKey;
};

// The lane that keeps the score of key `key` of a step: eight lanes compute a score, four scores at a time,
// and in pass i lane i of each eight keeps it.
BELAY_DEVICE int lane_of_key(int key) { return key % 4 * 8 + key / 4; }

// scores[g] of this lane's key. `queries` is [kGroup, kDim] in shared memory.
template <class Cell, int kDim, bool kWhole>
BELAY_DEVICE void score_step(const AttentionParams& p, const Share& share, const Cell* keys,
                             const float4* queries, int step, float (&scores)[kGroup]) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int d = kWhole ? kDim : p.d;
  BELAY_UNROLL
  for (int g = 0; g < kGroup; ++g) scores[g] = minus_infinity();
  BELAY_UNROLL_BY(2)
  for (int pass = 0; pass < 8; ++pass) {
    const int key = step + 4 * pass + lane / 8;
    const Cell* const row = cache_row(keys, static_cast<long long>(key), d);
    float dots[kGroup] = {};
    BELAY_UNROLL
    for (int chunk = 0; chunk < kDim / 32; ++chunk) {
      const int quad = lane % 8 + 8 * chunk;
      if (key >= share.end || (!kWhole && 4 * quad >= d)) continue;
      const float4 k = cache_quad<kWhole>(row, quad, d);
      BELAY_UNROLL
      for (int g = 0; g < kGroup; ++g) {
        if (g < share.count) dots[g] = add_dot(dots[g], queries[g * (kDim / 4) + quad], k);
      }
    }
    BELAY_UNROLL
    for (int g = 0; g < kGroup; ++g) {
      if (g >= share.count) continue;
      BELAY_UNROLL
      for (int offset = 4; offset > 0; offset /= 2)
        dots[g] += __shfl_xor_sync(BELAY_FULL_WARP, dots[g], offset);
      if (lane % 8 == pass && key < share.end) scores[g] = dots[g];
    }
  }
}

// Takes the step's scores into the softmax; they become this lane's weights.
template <int kChunks>
BELAY_DEVICE void weigh_step(const Share& share, float (&scores)[kGroup], Progress<kChunks>& progress) {
  BELAY_UNROLL
  for (int g = 0; g < kGroup; ++g) {
    if (g >= share.count) continue;
    const float largest = fmaxf(progress.largest[g], warp_max(scores[g]));
    const float before = expf(progress.largest[g] - largest);
    scores[g] = expf(scores[g] - largest);
    progress.largest[g] = largest;
    progress.sum[g] = progress.sum[g] * before + scores[g];
    BELAY_UNROLL
    for (int c = 0; c < kChunks; ++c) progress.value[g][c] = before * progress.value[g][c];
  }
}

template <class Cell, int kDim, bool kWhole>
BELAY_DEVICE void add_values(const AttentionParams& p, const Share& share, const Cell* values, int step,
                             const float (&weights)[kGroup], Progress<Lanes<kDim>::kChunks>& progress) {
  using Own = Lanes<kDim>;
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int d = kWhole ? kDim : p.d;
  const int count = min(kStep, share.end - step);
  BELAY_UNROLL_BY(4)
  for (int first = 0; first < count; first += Own::kKeys) {
    const int key = first + lane / Own::kPerKey;
    float4 value[Own::kChunks];
    BELAY_UNROLL
    for (int c = 0; c < Own::kChunks; ++c) {
      const int quad = lane % Own::kPerKey + Own::kPerKey * c;
      value[c] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);  // what lies beyond the last key may be NaN
      if (key < count && (kWhole || 4 * quad < d)) {
        value[c] = cache_quad<kWhole>(cache_row(values, static_cast<long long>(step + key), d), quad, d);
      }
    }
    BELAY_UNROLL
    for (int g = 0; g < kGroup; ++g) {
      if (g >= share.count) continue;
      const float weight = __shfl_sync(BELAY_FULL_WARP, weights[g], lane_of_key(key));
      BELAY_UNROLL
      for (int c = 0; c < Own::kChunks; ++c) add_scaled(progress.value[g][c], weight, value[c]);
    }
  }
}

// Brings a warp's progress together over its lanes and writes it to shared memory: largest and sum [kWarps,
// kGroup], values [kWarps, kGroup, kDim].
template <int kDim>
BELAY_DEVICE void publish(Progress<Lanes<kDim>::kChunks>& progress, float* largest, float* sums,
                          float4* values) {
  using Own = Lanes<kDim>;
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int warp = static_cast<int>(threadIdx.x / 32);
  BELAY_UNROLL
  for (int g = 0; g < kGroup; ++g) {
    const float sum = warp_sum(progress.sum[g]);
    if (lane == 0) {
      largest[warp * kGroup + g] = progress.largest[g];
      sums[warp * kGroup + g] = sum;
    }
    BELAY_UNROLL
    for (int c = 0; c < Own::kChunks; ++c) {
      float4 value = progress.value[g][c];
      if (Own::kKeys == 2) {
        value.x += __shfl_xor_sync(BELAY_FULL_WARP, value.x, 16);
        value.y += __shfl_xor_sync(BELAY_FULL_WARP, value.y, 16);
        value.z += __shfl_xor_sync(BELAY_FULL_WARP, value.z, 16);
        value.w += __shfl_xor_sync(BELAY_FULL_WARP, value.w, 16);
      }
      const int quad = lane % Own::kPerKey + Own::kPerKey * c;
      if (lane < Own::kPerKey) values[(warp * kGroup + g) * Own::kQuads + quad] = value;
    }
  }
}

// One element of several parts of a softmax, merged in their order. part(i) gives the largest score, the sum
// of the weights and the element of part i, each relative to the part's own largest score.
struct Part {
  float largest;
  float sum;
  float value;
};
template <class Function>
BELAY_DEVICE Part merge(int count, Function part) {
  Part merged = {minus_infinity(), 0.0f, 0.0f};
  for (int i = 0; i < count; ++i) merged.largest = fmaxf(merged.largest, part(i).largest);
  for (int i = 0; i < count; ++i) {
    const Part one = part(i);
    if (one.largest == minus_infinity() && one.sum == 0.0f) continue;  // saw no key
    const float weight = expf(one.largest - merged.largest);
    merged.sum = fmaf(weight, one.sum, merged.sum);
    merged.value = fmaf(weight, one.value, merged.value);
  }
  return merged;
}

// The rows of a block's query heads, quantised. All threads call.
BELAY_DEVICE void quantise_rows(const AttentionParams& p, const float* rows, int quads, long long first) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  for (int base = static_cast<int>(threadIdx.x) - lane; base < quads; base += 32 * kWarps) {
    const int quad = base + lane;
    const bool inside = quad < quads;
    const float4 y =
        inside ? reinterpret_cast<const float4*>(rows)[quad] : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    store_quantised({p.low, p.high, p.scales}, first / 32 + quad / 8, quad % 8, y, inside);
  }
}

template <class Cell, int kDim, bool kWhole>
BELAY_DEVICE void decode(const AttentionParams& p) {
  using Own = Lanes<kDim>;
  BELAY_SHARED(float4, queries, kGroup * Own::kQuads);
  BELAY_SHARED(float, largest, kWarps* kGroup);
  BELAY_SHARED(float, sums, kWarps* kGroup);
  BELAY_SHARED(float4, values, kWarps * kGroup * Own::kQuads);
  const Share share = share_of(p);
  const int thread = static_cast<int>(threadIdx.x);
  const int d = kWhole ? kDim : p.d;
  const long long row = (static_cast<long long>(blockIdx.z) * p.heads + share.head) * d;
  for (int i = thread; i < kGroup * kDim; i += 32 * kWarps) {
    const int g = i / kDim;
    const int column = i % kDim;
    const bool inside = g < share.count && column < d;
    reinterpret_cast<float*>(queries)[i] = inside ? p.q[row + g * d + column] * p.scale : 0.0f;
  }
  __syncthreads();

  Progress<Own::kChunks> progress = {};
  BELAY_UNROLL
  for (int g = 0; g < kGroup; ++g) progress.largest[g] = minus_infinity();
  const Cell* const keys = cache_head<Cell>(p.k_cache, share.kv_head, p.blocks, d);
  const Cell* const from = cache_head<Cell>(p.v_cache, share.kv_head, p.blocks, d);
  for (int step = share.begin + thread / 32 * kStep; step < share.end; step += kWarps * kStep) {
    float scores[kGroup];
    score_step<Cell, kDim, kWhole>(p, share, keys, queries, step, scores);
    weigh_step(share, scores, progress);
    add_values<Cell, kDim, kWhole>(p, share, from, step, scores, progress);
  }
  publish<kDim>(progress, largest, sums, values);
  __syncthreads();

  const int splits = static_cast<int>(gridDim.x);
  const int unit = static_cast<int>(blockIdx.z * gridDim.y + blockIdx.y);
  const int part_floats = kGroup * (d + 2);  // {largest, sum} of each head, then the elements
  float* const parts = p.parts + static_cast<long long>(unit) * splits * part_floats;
  // What is to be quantised is collected first, where the queries are not needed any more.
  float* const y = p.low == nullptr ? p.y + row : reinterpret_cast<float*>(queries);
  for (int i = thread; i < share.count * d; i += 32 * kWarps) {
    const int g = i / d;
    const int column = i % d;
    const Part all = merge(kWarps, [&](int w) {
      return Part{largest[w * kGroup + g], sums[w * kGroup + g],
                  reinterpret_cast<const float*>(values)[(w * kGroup + g) * kDim + column]};
    });
    if (splits == 1) {
      y[i] = all.value / all.sum;
      continue;
    }
    float* const part = parts + static_cast<long long>(blockIdx.x) * part_floats;
    part[2 * kGroup + i] = all.value;
    if (column == 0) {
      part[2 * g] = all.largest;
      part[2 * g + 1] = all.sum;
    }
  }
  if (splits > 1 && !is_last_block(p.counters + unit, gridDim.x)) return;
  for (int i = thread; splits > 1 && i < share.count * d; i += 32 * kWarps) {
    const int g = i / d;
    const Part all = merge(splits, [&](int s) {
      const float* const part = parts + static_cast<long long>(s) * part_floats;
      return Part{load_fresh(part + 2 * g), load_fresh(part + 2 * g + 1), load_fresh(part + 2 * kGroup + i)};
    });
    y[i] = all.value / all.sum;
  }
  if (p.low == nullptr) return;
  __syncthreads();
  quantise_rows(p, y, share.count * d / 4, row);
}

}  // namespace

BELAY_KERNEL_BOUNDS(belay_attention_decode_f32_64, AttentionParams p, 128, 6) { decode<float, 64, true>(p); }
BELAY_KERNEL_BOUNDS(belay_attention_decode_f16_64, AttentionParams p, 128, 6) {
  decode<HalfBits, 64, true>(p);
}
BELAY_KERNEL_BOUNDS(belay_attention_decode_q8_64, AttentionParams p, 128, 6) { decode<Q8Block, 64, true>(p); }
BELAY_KERNEL_BOUNDS(belay_attention_decode_f32_128, AttentionParams p, 128, 6) {
  decode<float, 128, true>(p);
}
BELAY_KERNEL_BOUNDS(belay_attention_decode_f16_128, AttentionParams p, 128, 6) {
  decode<HalfBits, 128, true>(p);
}
BELAY_KERNEL_BOUNDS(belay_attention_decode_q8_128, AttentionParams p, 128, 6) {
  decode<Q8Block, 128, true>(p);
}
BELAY_KERNEL_BOUNDS(belay_attention_decode_f32_any, AttentionParams p, 128, 4) {
  decode<float, 256, false>(p);
}
BELAY_KERNEL_BOUNDS(belay_attention_decode_f16_any, AttentionParams p, 128, 4) {
  decode<HalfBits, 256, false>(p);
}
BELAY_KERNEL_BOUNDS(belay_attention_decode_q8_any, AttentionParams p, 128, 4) {
  decode<Q8Block, 256, false>(p);
}
