// Y = X W^T for many tokens, X quantised: a block computes a tile of 64 tokens by 128 rows, a thread 4 by 8
// of it. A step takes 2 blocks of 32 along K, so that what a row gives fills sectors of 32 bytes; the next
// step's are on their way while this one is computed.
#include "plugins/cuda_sm61/kernels/device.h"
#include "plugins/cuda_sm61/kernels/linear_outputs.h"
#include "plugins/cuda_sm61/kernels/linear_params.h"
#include "plugins/cuda_sm61/kernels/linear_q8.h"

namespace {

constexpr int kRows = BELAY_LINEAR_GEMM_ROWS;
constexpr int kTokens = BELAY_LINEAR_GEMM_TOKENS;
constexpr int kStep = 2;        // blocks
constexpr int kThreadRows = 8;  // of a thread, 16 apart
constexpr int kThreadTokens = 4;
// 4 vectors of 16 bytes more: the two blocks of a step then lie in different halves of the banks, so that
// eight lanes that store four rows of both do not collide.
constexpr int kRowPitch = kRows + 4;
constexpr int kTokenPitch = kTokens + 4;

struct Tile {
  int4* rows;        // [half of the block][block of the step][kRowPitch]
  int4* tokens;      // [half][block][kTokenPitch]
  float2* scales;    // of the rows, as ScaleValues: [block][kRows]
  float2* x_scales;  // [block][kTokens]
};

// What a thread brings for one step: a block of a row, half a block of a token, and perhaps a token's scales.
template <class Format>
struct Staged {
  typename Format::Quants::Raw row;
  ScaleValues scales;
  int4 token;
  float2 x_scales;
};

// Where in the step's blocks this thread takes from, and where the rows and tokens begin.
struct Source {
  WeightPlanes planes;
  int block;  // of the step, of the row and of the token's half
  int row;    // first block of its row
  int token;  // of its token
  const signed char* half;
};

BELAY_DEVICE Source source_of(const LinearParams& p, int matrix, int first_row, int first_token) {
  const int t = static_cast<int>(threadIdx.x);
  const int blocks = p.k / 32;
  const int rows = BELAY_PICK(p, matrix, rows);
  Source source;
  source.planes = planes_of(p, matrix);
  source.block = t % kStep;
  // What lies beyond the last row or token is the last one again: its results are not stored.
  source.row = min(first_row + t / kStep, rows - 1) * blocks;
  source.token = min(first_token + t % (kStep * kTokens) / kStep, p.tokens - 1) * blocks;
  source.half = t < kStep * kTokens ? p.low : p.high;
  return source;
}

template <class Format>
BELAY_DEVICE Staged<Format> fetch(const LinearParams& p, const Source& source, int b) {
  Staged<Format> staged;
  staged.row = Format::Quants::fetch(source.planes, source.row + b);
  staged.scales = Format::scales(source.planes, source.row + b);
  staged.token = plane_at<int4>(source.half, source.token + b);
  staged.x_scales = plane_at<float2>(p.scales, source.token + b);
  return staged;
}

template <class Format>
BELAY_DEVICE void store(const Tile& tile, const Staged<Format>& staged, int block, bool exists) {
  const int t = static_cast<int>(threadIdx.x);
  const Bytes32 bytes = unpacked<typename Format::Quants>(staged.row);
  const int row = t / kStep;
  tile.rows[block * kRowPitch + row] = bytes.low;
  tile.rows[(kStep + block) * kRowPitch + row] = bytes.high;
  const int token = t % (kStep * kTokens) / kStep;
  const int half = t / (kStep * kTokens);
  tile.tokens[(half * kStep + block) * kTokenPitch + token] = staged.token;
  // A block beyond the last, of an odd number of them, counts nothing.
  const float2 none = make_float2(0.0f, 0.0f);
  tile.scales[block * kRows + row] = exists ? make_float2(staged.scales.scale, staged.scales.second) : none;
  if (half == 0) tile.x_scales[block * kTokens + token] = exists ? staged.x_scales : none;
}

template <class Format>
BELAY_DEVICE void multiply(const Tile& tile, int block, float (&sums)[kThreadTokens][kThreadRows]) {
  const int lane_row = static_cast<int>(threadIdx.x) % 16;
  const int lane_token = static_cast<int>(threadIdx.x) / 16;
  Bytes32 q[kThreadTokens];
  float2 x[kThreadTokens];
  BELAY_UNROLL
  for (int i = 0; i < kThreadTokens; ++i) {
    const int token = lane_token + 16 * i;
    q[i] = {tile.tokens[block * kTokenPitch + token], tile.tokens[(kStep + block) * kTokenPitch + token]};
    x[i] = tile.x_scales[block * kTokens + token];
  }
  BELAY_UNROLL
  for (int j = 0; j < kThreadRows; ++j) {
    const int row = lane_row + 16 * j;
    const Bytes32 w = {tile.rows[block * kRowPitch + row], tile.rows[(kStep + block) * kRowPitch + row]};
    const float2 scales = tile.scales[block * kRows + row];
    BELAY_UNROLL
    for (int i = 0; i < kThreadTokens; ++i) {
      sums[i][j] = add_block<typename Format::Scales>(sums[i][j], w, {scales.x, scales.y}, q[i], x[i]);
    }
  }
}

BELAY_DEVICE void store_tile(const LinearParams& p, int matrix, int first_row, int first_token,
                             const float (&sums)[kThreadTokens][kThreadRows]) {
  const int lane_row = static_cast<int>(threadIdx.x) % 16;
  const int lane_token = static_cast<int>(threadIdx.x) / 16;
  const int rows = BELAY_PICK(p, matrix, rows);
  BELAY_UNROLL
  for (int i = 0; i < kThreadTokens; ++i) {
    const int token = first_token + lane_token + 16 * i;
    BELAY_UNROLL
    for (int j = 0; j < kThreadRows; ++j) {
      const int row = first_row + lane_row + 16 * j;
      if (token < p.tokens && row < rows) store_output(p, matrix, token, row, sums[i][j]);
    }
  }
}

template <class Format>
BELAY_DEVICE void gemm(const LinearParams& p) {
  BELAY_SHARED(int4, shared_rows, 2 * kStep * kRowPitch);
  BELAY_SHARED(int4, shared_tokens, 2 * kStep * kTokenPitch);
  BELAY_SHARED(float2, shared_scales, kStep * kRows);
  BELAY_SHARED(float2, shared_x_scales, kStep * kTokens);
  const Tile tile = {shared_rows, shared_tokens, shared_scales, shared_x_scales};
  int block_of_rows = static_cast<int>(blockIdx.y);
  const int matrix = matrix_of(p, kRows, block_of_rows);
  const int first_row = block_of_rows * kRows;
  const int first_token = static_cast<int>(blockIdx.x) * kTokens;
  const Source source = source_of(p, matrix, first_row, first_token);
  const int blocks = p.k / 32;

  float sums[kThreadTokens][kThreadRows] = {};
  Staged<Format> next = fetch<Format>(p, source, min(source.block, blocks - 1));
  BELAY_NO_UNROLL
  for (int b = 0; b < blocks; b += kStep) {
    store<Format>(tile, next, source.block, b + source.block < blocks);
    __syncthreads();
    next = fetch<Format>(p, source, min(b + kStep + source.block, blocks - 1));
    BELAY_NO_UNROLL
    for (int block = 0; block < kStep; ++block) multiply<Format>(tile, block, sums);
    __syncthreads();
  }
  store_tile(p, matrix, first_row, first_token, sums);
}

}  // namespace

#define BELAY_GEMM_Q8(type, Format)                                                                   \
  BELAY_KERNEL_BOUNDS(belay_linear_gemm_q8_##type, LinearParams p, BELAY_LINEAR_GEMM_Q8_THREADS, 2) { \
    gemm<Format>(p);                                                                                  \
  }

BELAY_GEMM_Q8(q8_0, FormatQ8_0)
BELAY_GEMM_Q8(q4_0, FormatQ4_0)
BELAY_GEMM_Q8(q4_1, FormatQ4_1)
BELAY_GEMM_Q8(q5_0, FormatQ5_0)
BELAY_GEMM_Q8(q5_1, FormatQ5_1)
BELAY_GEMM_Q8(q4_k, FormatQ4_K)
BELAY_GEMM_Q8(q5_k, FormatQ5_K)
BELAY_GEMM_Q8(q6_k, FormatQ6_K)
