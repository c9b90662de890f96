#include "plugins/cuda_sm61/kernels/attention_cache.h"
#include "plugins/cuda_sm61/kernels/attention_params.h"

namespace {

constexpr int kKeys = 64;   // of a step
constexpr int kDepth = 16;  // elements of a head, or keys, that lie in shared memory at a time

// A row of a block: query heads that share a key head lie side by side, token by token.
struct Row {
  int token;
  int head;
  bool exists;
};
BELAY_DEVICE Row row_of(const AttentionParams& p, int row) {
  const int sharing = p.heads / p.kv_heads;
  const int token = row / sharing;
  return {token, static_cast<int>(blockIdx.y) * sharing + row % sharing, token < p.tokens};
}

BELAY_DEVICE int visible_keys(const AttentionParams& p, int token) {
  return p.causal != 0 ? min(p.position + token + 1, p.keys) : p.keys;
}

// 256 threads: thread (ty, tx) of 16 x 16 does the kR rows kR * ty .. with the keys 4 tx .. 4 tx + 3 of a
// step, and with the columns 4 tx + 64 c .. of the output.
//
// Shared memory holds matrices whose lines are 16 units of kR floats: a unit is what one ty reads, or, of
// keys with kR = 4, one tx. Units are swizzled so that neither the transposing writes nor the reads of whole
// units meet in a bank.
template <int kR>
BELAY_DEVICE int operand_at(int line, int unit) {
  return kR * (16 * line + (unit ^ (8 / kR * (line / 4))));
}
template <int kR>
BELAY_DEVICE int weight_at(int key, int unit) {
  return kR * (16 * key + (unit ^ (key / 4)));
}

template <int kR>
struct Unit {
  float value[kR];
};
BELAY_DEVICE Unit<4> unit_at(const float* at, Unit<4>) {
  const float4 all = *reinterpret_cast<const float4*>(at);
  return {{all.x, all.y, all.z, all.w}};
}
BELAY_DEVICE Unit<2> unit_at(const float* at, Unit<2>) {
  const float2 all = *reinterpret_cast<const float2*>(at);
  return {{all.x, all.y}};
}

BELAY_DEVICE void put_unit(float* at, const Unit<4>& unit) {
  *reinterpret_cast<float4*>(at) = make_float4(unit.value[0], unit.value[1], unit.value[2], unit.value[3]);
}
BELAY_DEVICE void put_unit(float* at, const Unit<2>& unit) {
  *reinterpret_cast<float2*>(at) = make_float2(unit.value[0], unit.value[1]);
}

// Elements 4 * quad .. 4 * quad + 3 of row `row` become column `row` of an operand.
template <int kR>
BELAY_DEVICE void put_transposed(float* operand, int row, int quad, const float4& x) {
  const float elements[4] = {x.x, x.y, x.z, x.w};
  BELAY_UNROLL
  for (int i = 0; i < 4; ++i) operand[operand_at<kR>(4 * quad + i, row / kR) + row % kR] = elements[i];
}

// Adds the products of kDepth elements of the queries and of the keys.
template <int kR>
BELAY_DEVICE void add_products(const float* queries, const float* keys, float (&scores)[kR][4]) {
  const int tx = static_cast<int>(threadIdx.x % 16);
  const int ty = static_cast<int>(threadIdx.x / 16);
  BELAY_UNROLL_BY(4)
  for (int i = 0; i < kDepth; ++i) {
    const Unit<kR> query = unit_at(queries + operand_at<kR>(i, ty), Unit<kR>());
    const Unit<4> key = unit_at(keys + operand_at<4>(i, tx), Unit<4>());
    BELAY_UNROLL
    for (int r = 0; r < kR; ++r) {
      BELAY_UNROLL
      for (int j = 0; j < 4; ++j) scores[r][j] = fmaf(query.value[r], key.value[j], scores[r][j]);
    }
  }
}

// Scores of keys that a row does not see become -inf.
template <int kR>
BELAY_DEVICE void hide(const AttentionParams& p, int row, int key, float (&scores)[kR][4]) {
  BELAY_UNROLL
  for (int r = 0; r < kR; ++r) {
    const int visible = visible_keys(p, row_of(p, row + r).token);
    BELAY_UNROLL
    for (int j = 0; j < 4; ++j) scores[r][j] = key + j < visible ? scores[r][j] : minus_infinity();
  }
}

// What the softmax of a thread's rows has come to. `sum` is this thread's share of it.
template <int kR, int kColumns>
struct Progress {
  float largest[kR];
  float sum[kR];
  float4 value[kR][kColumns];
};

// Takes scores into the softmax and makes weights of them. A row's 16 threads are neighbours of one warp.
template <int kR, int kColumns>
BELAY_DEVICE void weigh(float (&scores)[kR][4], Progress<kR, kColumns>& progress) {
  BELAY_UNROLL
  for (int r = 0; r < kR; ++r) {
    float largest = fmaxf(fmaxf(scores[r][0], scores[r][1]), fmaxf(scores[r][2], scores[r][3]));
    BELAY_UNROLL
    for (int offset = 8; offset > 0; offset /= 2) {
      largest = fmaxf(largest, __shfl_xor_sync(BELAY_FULL_WARP, largest, offset));
    }
    largest = fmaxf(largest, progress.largest[r]);
    const float before = expf(progress.largest[r] - largest);
    progress.largest[r] = largest;
    progress.sum[r] *= before;
    BELAY_UNROLL
    for (int j = 0; j < 4; ++j) {
      scores[r][j] = expf(scores[r][j] - largest);
      progress.sum[r] += scores[r][j];
    }
    BELAY_UNROLL
    for (int c = 0; c < kColumns; ++c) progress.value[r][c] = before * progress.value[r][c];
  }
}

// Adds the values of kDepth keys, of which `first` is the first of the step. `values` is [kDepth, kColumns *
// 16] quads.
template <int kR, int kColumns>
BELAY_DEVICE void add_values(const float* weights, const float4* values, int first,
                             Progress<kR, kColumns>& progress) {
  const int tx = static_cast<int>(threadIdx.x % 16);
  const int ty = static_cast<int>(threadIdx.x / 16);
  BELAY_UNROLL_BY(4)
  for (int key = 0; key < kDepth; ++key) {
    const Unit<kR> weight = unit_at(weights + weight_at<kR>(first + key, ty), Unit<kR>());
    BELAY_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      const float4 value = values[16 * (kColumns * key + c) + tx];
      BELAY_UNROLL
      for (int r = 0; r < kR; ++r) add_scaled(progress.value[r][c], weight.value[r], value);
    }
  }
}

template <int kR, int kColumns>
BELAY_DEVICE void finish(const AttentionParams& p, int first_row, const Progress<kR, kColumns>& progress) {
  const int tx = static_cast<int>(threadIdx.x % 16);
  BELAY_UNROLL
  for (int r = 0; r < kR; ++r) {
    float sum = progress.sum[r];
    BELAY_UNROLL
    for (int offset = 8; offset > 0; offset /= 2) sum += __shfl_xor_sync(BELAY_FULL_WARP, sum, offset);
    const Row to = row_of(p, first_row + r);
    if (!to.exists) continue;
    float* const y = p.y + (static_cast<long long>(to.token) * p.heads + to.head) * p.d;
    BELAY_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      const int quad = tx + 16 * c;
      if (4 * quad < p.d) store_quad(y, quad, p.d, (1.0f / sum) * progress.value[r][c]);
    }
  }
}

// The kRows rows from first_row on. All threads of the block call.
template <class Cell, int kDim, int kRows>
BELAY_DEVICE void prefill_rows(const AttentionParams& p, int first_row) {
  constexpr int kR = kRows / 16;
  constexpr int kColumns = kDim / 64;  // quads of a thread's output columns
  constexpr int kChunk = kDepth * (kDim > kRows + kKeys ? kDim : kRows + kKeys);
  BELAY_SHARED(float, chunk, kChunk);  // queries and keys, or values
  BELAY_SHARED(float, weights, kKeys* kRows);
  float* const queries = chunk;
  float* const keys = chunk + kDepth * kRows;

  const int thread = static_cast<int>(threadIdx.x);
  const int tx = thread % 16;
  const int ty = thread / 16;
  const Row from = row_of(p, first_row + thread / 4);
  const float* const query = p.q + (static_cast<long long>(from.token) * p.heads + from.head) * p.d;
  const bool has_query = thread / 4 < kRows && from.exists;
  const auto* const key_head = cache_head<Cell>(p.k_cache, static_cast<int>(blockIdx.y), p.blocks, p.d);
  const auto* const value_head = cache_head<Cell>(p.v_cache, static_cast<int>(blockIdx.y), p.blocks, p.d);
  const int seen_by_all = visible_keys(p, row_of(p, first_row).token);
  const int end = visible_keys(p, row_of(p, first_row + kRows - 1).token);
  const float4 zero = make_float4(0.0f, 0.0f, 0.0f, 0.0f);

  Progress<kR, kColumns> progress = {};
  BELAY_UNROLL
  for (int r = 0; r < kR; ++r) progress.largest[r] = minus_infinity();

  for (int step = 0; step < end; step += kKeys) {
    float scores[kR][4] = {};
    for (int depth = 0; depth < p.d; depth += kDepth) {
      const int quad = depth / 4 + thread % 4;
      const int key = step + thread / 4;
      const bool inside = 4 * quad < p.d;
      const float4 q = has_query && inside ? load_quad(query, quad, p.d) : zero;
      const float4 k =
          key < end && inside ? cache_quad<false>(cache_row(key_head, key, p.d), quad, p.d) : zero;
      __syncthreads();  // until all have read what lies there
      if (thread / 4 < kRows) put_transposed<kR>(queries, thread / 4, thread % 4, q);
      put_transposed<4>(keys, thread / 4, thread % 4, k);
      __syncthreads();
      add_products(queries, keys, scores);
    }
    BELAY_UNROLL
    for (int r = 0; r < kR; ++r) {
      BELAY_UNROLL
      for (int j = 0; j < 4; ++j) scores[r][j] *= p.scale;
    }
    if (step + kKeys > seen_by_all) hide(p, first_row + kR * ty, step + 4 * tx, scores);
    weigh(scores, progress);
    BELAY_UNROLL
    for (int j = 0; j < 4; ++j) {
      Unit<kR> of_key;
      BELAY_UNROLL
      for (int r = 0; r < kR; ++r) of_key.value[r] = scores[r][j];
      put_unit(weights + weight_at<kR>(4 * tx + j, ty), of_key);
    }
    const int count = min(kKeys, end - step);
    for (int depth = 0; depth < count; depth += kDepth) {
      __syncthreads();  // until the weights are there and all have read what lies in the chunk
      BELAY_UNROLL
      for (int c = 0; c < kColumns; ++c) {
        const int at = thread + 256 * c;
        const int key = at / (kDim / 4);
        const int quad = at % (kDim / 4);
        const bool inside =
            depth + key < count && 4 * quad < p.d;  // what lies beyond the last key may be NaN
        reinterpret_cast<float4*>(chunk)[at] =
            inside ? cache_quad<false>(cache_row(value_head, step + depth + key, p.d), quad, p.d) : zero;
      }
      __syncthreads();
      add_values(weights, reinterpret_cast<const float4*>(chunk), depth, progress);
    }
  }
  finish(p, first_row + kR * ty, progress);
}

// A block's rows, kRows at a time. The blocks with the most keys begin first.
template <class Cell, int kDim, int kRows>
BELAY_DEVICE void prefill(const AttentionParams& p) {
  const int first_row = static_cast<int>(gridDim.x - 1 - blockIdx.x) * BELAY_ATTENTION_ROWS;
  BELAY_NO_UNROLL
  for (int row = 0; row < BELAY_ATTENTION_ROWS; row += kRows) {
    if (row_of(p, first_row + row).exists) prefill_rows<Cell, kDim, kRows>(p, first_row + row);
  }
}

}  // namespace

BELAY_KERNEL_BOUNDS(belay_attention_prefill_f32_64, AttentionParams p, 256, 2) { prefill<float, 64, 64>(p); }
BELAY_KERNEL_BOUNDS(belay_attention_prefill_f16_64, AttentionParams p, 256, 2) {
  prefill<HalfBits, 64, 64>(p);
}
BELAY_KERNEL_BOUNDS(belay_attention_prefill_q8_64, AttentionParams p, 256, 2) { prefill<Q8Block, 64, 64>(p); }
BELAY_KERNEL_BOUNDS(belay_attention_prefill_f32_128, AttentionParams p, 256, 2) {
  prefill<float, 128, 64>(p);
}
BELAY_KERNEL_BOUNDS(belay_attention_prefill_f16_128, AttentionParams p, 256, 2) {
  prefill<HalfBits, 128, 64>(p);
}
BELAY_KERNEL_BOUNDS(belay_attention_prefill_q8_128, AttentionParams p, 256, 2) {
  prefill<Q8Block, 128, 64>(p);
}
BELAY_KERNEL_BOUNDS(belay_attention_prefill_f32_256, AttentionParams p, 256, 2) {
  prefill<float, 256, 32>(p);
}
BELAY_KERNEL_BOUNDS(belay_attention_prefill_f16_256, AttentionParams p, 256, 2) {
  prefill<HalfBits, 256, 32>(p);
}
BELAY_KERNEL_BOUNDS(belay_attention_prefill_q8_256, AttentionParams p, 256, 2) {
  prefill<Q8Block, 256, 32>(p);
}
