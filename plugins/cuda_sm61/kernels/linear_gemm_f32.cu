// Y = X W^T for many tokens in f32, weights made floats on their way to shared memory: a block computes a
// tile of 64 tokens by 128 rows, a thread 8 by 8 of it, 32 values along K a step.
#include "plugins/cuda_sm61/kernels/device.h"
#include "plugins/cuda_sm61/kernels/linear_f32.h"
#include "plugins/cuda_sm61/kernels/linear_outputs.h"
#include "plugins/cuda_sm61/kernels/linear_params.h"

namespace {

constexpr int kRows = BELAY_LINEAR_GEMM_ROWS;
constexpr int kTokens = BELAY_LINEAR_GEMM_TOKENS;
constexpr int kStep = 32;
constexpr int kThreads = BELAY_LINEAR_GEMM_F32_THREADS;
static_assert(kThreads == kRows, "a thread brings a row");

struct Tile {
  float* rows;    // [kStep][kRows]
  float* tokens;  // [kStep][kTokens], see token_at
};

// Where token `token` of value k lies: groups of four tokens are swapped by k / 4, so that the eight lanes
// that store 32 values of a token, and their neighbours with the next ones, meet 32 different banks.
BELAY_DEVICE int token_at(int k, int token) { return k * kTokens + (token ^ (k / 4 % 8 * 4)); }

BELAY_DEVICE void store_quad(float* to, int stride, const float4& v) {
  to[0] = v.x;
  to[stride] = v.y;
  to[2 * stride] = v.z;
  to[3 * stride] = v.w;
}

template <class Format>
BELAY_DEVICE void store_row(const Tile& tile, const WeightPlanes& planes, int row, int b, int parts_of_row) {
  Part parts[4];
  Format::block(planes, row, b, parts_of_row, parts);
  BELAY_UNROLL
  for (int j = 0; j < 4; ++j) {
    store_quad(tile.rows + Format::first_of(j) * kRows + threadIdx.x, kRows, parts[j].first);
    store_quad(tile.rows + Format::second_of(j) * kRows + threadIdx.x, kRows, parts[j].second);
  }
}

// Eight lanes a token, 128 bytes in a row.
template <class Format>
BELAY_DEVICE void store_tokens(const Tile& tile, const LinearParams& p, int first_token, int first_k) {
  const int quad = static_cast<int>(threadIdx.x) % 8;
  BELAY_UNROLL
  for (int i = 0; i < kTokens; i += kThreads / 8) {
    const int token = i + static_cast<int>(threadIdx.x) / 8;
    const long long from = min(first_token + token, p.tokens - 1);  // beyond the last: the last, not stored
    const float4 v = activations<Format>(p.x + from * p.k, first_k + 4 * quad, p.k);
    store_quad(tile.tokens + token_at(4 * quad, token), kTokens, v);
  }
}

BELAY_DEVICE float4 quad_at(const float* from) { return *reinterpret_cast<const float4*>(from); }

BELAY_DEVICE void take(float (&to)[8], const float4& a, const float4& b) {
  to[0] = a.x;
  to[1] = a.y;
  to[2] = a.z;
  to[3] = a.w;
  to[4] = b.x;
  to[5] = b.y;
  to[6] = b.z;
  to[7] = b.w;
}

// The thread's rows are 4 * (t % 16) and 64 further, its tokens 4 * (t / 16) and 32 further, four of each.
BELAY_DEVICE void multiply(const Tile& tile, float (&sums)[8][8]) {
  const int lane_row = static_cast<int>(threadIdx.x) % 16 * 4;
  const int lane_token = static_cast<int>(threadIdx.x) / 16 * 4;
  BELAY_NO_UNROLL
  for (int k8 = 0; k8 < kStep; k8 += 8) {
    BELAY_UNROLL
    for (int k = k8; k < k8 + 8; ++k) {
      float w[8];
      float x[8];
      take(w, quad_at(tile.rows + k * kRows + lane_row), quad_at(tile.rows + k * kRows + 64 + lane_row));
      take(x, quad_at(tile.tokens + token_at(k, lane_token)),
           quad_at(tile.tokens + token_at(k, 32 + lane_token)));
      BELAY_UNROLL
      for (int i = 0; i < 8; ++i) {
        BELAY_UNROLL
        for (int j = 0; j < 8; ++j) sums[i][j] = fmaf(x[i], w[j], sums[i][j]);
      }
    }
  }
}

BELAY_DEVICE void store_tile(const LinearParams& p, const Outputs& to, int first_row, int first_token,
                             const float (&sums)[8][8]) {
  const int thread = static_cast<int>(threadIdx.x);
  const int lane_row = first_row + thread % 16 * 4;
  const int lane_token = first_token + thread / 16 * 4;
  BELAY_UNROLL
  for (int i = 0; i < 8; ++i) {
    const int token = lane_token + i % 4 + i / 4 * 32;
    const long long at = static_cast<long long>(token) * to.rows + lane_row;
    BELAY_UNROLL
    for (int j = 0; j < 8; ++j) {
      const int more = j % 4 + j / 4 * 64;
      if (token < p.tokens && lane_row + more < to.rows)
        store_output(to, at + more, lane_row + more, sums[i][j]);
    }
  }
}

template <class Format>
BELAY_DEVICE void gemm(const LinearParams& p) {
  BELAY_SHARED(float, shared_rows, kStep* kRows);
  BELAY_SHARED(float, shared_tokens, kStep* kTokens);
  const Tile tile = {shared_rows, shared_tokens};
  int block_of_rows = static_cast<int>(blockIdx.y);
  const int matrix = matrix_of(p, kRows, block_of_rows);
  const int first_row = block_of_rows * kRows;
  const int first_token = static_cast<int>(blockIdx.x) * kTokens;
  const WeightPlanes planes = planes_of(p, matrix);
  const int parts = Format::parts_of(p.k);
  const int row = min(first_row + static_cast<int>(threadIdx.x), BELAY_PICK(p, matrix, rows) - 1) * parts;

  float sums[8][8] = {};
  BELAY_NO_UNROLL
  for (int k = 0; k < p.k; k += kStep) {
    store_row<Format>(tile, planes, row, k / kStep, parts);
    store_tokens<Format>(tile, p, first_token, k);
    __syncthreads();
    multiply(tile, sums);
    __syncthreads();
  }
  store_tile(p, outputs_of(p, matrix), first_row, first_token, sums);
}

}  // namespace

#define BELAY_GEMM_F32(type, Format)                                                                    \
  BELAY_KERNEL_BOUNDS(belay_linear_gemm_f32_##type, LinearParams p, BELAY_LINEAR_GEMM_F32_THREADS, 3) { \
    gemm<Format>(p);                                                                                    \
  }

BELAY_GEMM_F32(f32, FormatF32)
BELAY_GEMM_F32(f16, FormatF16)
BELAY_GEMM_F32(bf16, FormatBF16)
BELAY_GEMM_F32(q8_0, FormatQ8_0)
BELAY_GEMM_F32(q4_0, FormatQ4_0)
BELAY_GEMM_F32(q4_1, FormatQ4_1)
BELAY_GEMM_F32(q5_0, FormatQ5_0)
BELAY_GEMM_F32(q5_1, FormatQ5_1)
BELAY_GEMM_F32(q4_k, FormatQ4_K)
BELAY_GEMM_F32(q5_k, FormatQ5_K)
BELAY_GEMM_F32(q6_k, FormatQ6_K)
