// Y = X W^T for many tokens, X quantised: a block computes a tile of 128 rows by 16 * kTimes tokens, a thread
// 8 by kTimes of it. A step takes 2 blocks of 32 along K, so that what a row gives fills sectors of 32 bytes;
// the next step's are on their way while this one is computed.
#include "plugins/cuda_sm61/kernels/device.h"
#include "plugins/cuda_sm61/kernels/linear_outputs.h"
#include "plugins/cuda_sm61/kernels/linear_params.h"
#include "plugins/cuda_sm61/kernels/linear_q8.h"

namespace {

constexpr int kRows = BELAY_LINEAR_GEMM_ROWS;
constexpr int kStep = 2;  // blocks
constexpr int kThreadRows = 8;
constexpr int kApart = 16;  // a thread's rows, and its tokens
// The arrays of vectors of 16 bytes have 4 more than a tile needs: the two blocks of a step then lie in
// different halves of the banks, so that eight lanes that store four rows of both do not collide.
constexpr int kMore = 4;
constexpr int kRowPitch = kRows + kMore;

template <int kTimes>
struct Tile {
  static constexpr int kTokens = kApart * kTimes;
  static constexpr int kTokenPitch = kTokens + kMore;
  int4* rows;        // [half of the block][block of the step][kRowPitch]
  int4* tokens;      // [half][block][kTokenPitch]
  float2* scales;    // of the rows, as ScaleValues: [block][kRows]
  float2* x_scales;  // [block][kTokens]
};

// What a thread brings for one step: a block of a row, half a block of a token, and that token's scales.
template <class Format>
struct Staged {
  typename Format::Quants::Raw row;
  ScaleValues scales;
  int4 token;
  float2 x_scales;
};

// Which block of a step this is, and the first blocks of its row and its token.
struct Source {
  WeightPlanes planes;
  int block;
  int row;
  int token;
  const signed char* half;  // null: the tile has fewer tokens than that
};

template <int kTimes>
BELAY_DEVICE Source source_of(const LinearParams& p, int matrix, int first_row, int first_token) {
  constexpr int kBlocks = kStep * Tile<kTimes>::kTokens;
  const int t = static_cast<int>(threadIdx.x);
  const int blocks = p.k / 32;
  const int rows = BELAY_PICK(p, matrix, rows);
  Source source;
  source.planes = planes_of(p, matrix);
  source.block = t % kStep;
  // What lies beyond the last row or token is the last one again: its results are not stored.
  source.row = min(first_row + t / kStep, rows - 1) * blocks;
  source.token = min(first_token + t % kBlocks / kStep, p.tokens - 1) * blocks;
  source.half = t < kBlocks ? p.low : t < 2 * kBlocks ? p.high : nullptr;
  return source;
}

template <class Format>
BELAY_DEVICE Staged<Format> fetch(const LinearParams& p, const Source& source, int b) {
  Staged<Format> staged;
  staged.row = Format::Quants::fetch(source.planes, source.row + b);
  staged.scales = Format::scales(source.planes, source.row + b);
  if (source.half != nullptr) {
    staged.token = plane_at<int4>(source.half, source.token + b);
    staged.x_scales = plane_at<float2>(p.scales, source.token + b);
  }
  return staged;
}

template <class Format, int kTimes>
BELAY_DEVICE void store(const Tile<kTimes>& tile, const Staged<Format>& staged, int block, bool exists) {
  constexpr int kBlocks = kStep * Tile<kTimes>::kTokens;
  const int t = static_cast<int>(threadIdx.x);
  const Bytes32 bytes = unpacked<typename Format::Quants>(staged.row);
  const int row = t / kStep;
  tile.rows[block * kRowPitch + row] = bytes.low;
  tile.rows[(kStep + block) * kRowPitch + row] = bytes.high;
  // A block beyond the last, of an odd number of them, counts nothing.
  const float2 none = make_float2(0.0f, 0.0f);
  tile.scales[block * kRows + row] = exists ? make_float2(staged.scales.scale, staged.scales.second) : none;
  const int token = t % kBlocks / kStep;
  const int half = t / kBlocks;
  if (half < 2) tile.tokens[(half * kStep + block) * Tile<kTimes>::kTokenPitch + token] = staged.token;
  if (half == 0) tile.x_scales[block * Tile<kTimes>::kTokens + token] = staged.x_scales;
}

template <class Format, int kTimes>
BELAY_DEVICE void multiply(const Tile<kTimes>& tile, int block, float (&sums)[kTimes][kThreadRows]) {
  constexpr int kPitch = Tile<kTimes>::kTokenPitch;
  const int lane_row = static_cast<int>(threadIdx.x) % kApart;
  const int lane_token = static_cast<int>(threadIdx.x) / kApart;
  Bytes32 q[kTimes];
  float2 x[kTimes];
  BELAY_UNROLL
  for (int i = 0; i < kTimes; ++i) {
    const int token = lane_token + kApart * i;
    q[i] = {tile.tokens[block * kPitch + token], tile.tokens[(kStep + block) * kPitch + token]};
    x[i] = tile.x_scales[block * Tile<kTimes>::kTokens + token];
  }
  BELAY_UNROLL
  for (int j = 0; j < kThreadRows; ++j) {
    const int row = lane_row + kApart * j;
    const Bytes32 w = {tile.rows[block * kRowPitch + row], tile.rows[(kStep + block) * kRowPitch + row]};
    const float2 scales = tile.scales[block * kRows + row];
    BELAY_UNROLL
    for (int i = 0; i < kTimes; ++i) {
      sums[i][j] = add_block<typename Format::Scales>(sums[i][j], w, {scales.x, scales.y}, q[i], x[i]);
    }
  }
}

template <int kTimes>
BELAY_DEVICE void store_tile(const LinearParams& p, const Outputs& to, int first_row, int first_token,
                             const float (&sums)[kTimes][kThreadRows]) {
  const int lane_row = first_row + static_cast<int>(threadIdx.x) % kApart;
  const int lane_token = first_token + static_cast<int>(threadIdx.x) / kApart;
  BELAY_UNROLL
  for (int i = 0; i < kTimes; ++i) {
    const int token = lane_token + kApart * i;
    const long long at = static_cast<long long>(token) * to.rows + lane_row;
    BELAY_UNROLL
    for (int j = 0; j < kThreadRows; ++j) {
      const int more = kApart * j;
      if (token < p.tokens && lane_row + more < to.rows)
        store_output(to, at + more, lane_row + more, sums[i][j]);
    }
  }
}

template <class Format, int kTimes>
BELAY_DEVICE void gemm(const LinearParams& p) {
  BELAY_SHARED(int4, rows, 2 * kStep * kRowPitch);
  BELAY_SHARED(int4, tokens, 2 * kStep * Tile<kTimes>::kTokenPitch);
  BELAY_SHARED(float2, scales, kStep * kRows);
  BELAY_SHARED(float2, x_scales, kStep * Tile<kTimes>::kTokens);
  const Tile<kTimes> tile = {rows, tokens, scales, x_scales};
  int block_of_rows = static_cast<int>(blockIdx.y);
  const int matrix = matrix_of(p, kRows, block_of_rows);
  const int first_row = block_of_rows * kRows;
  const int first_token = static_cast<int>(blockIdx.x) * Tile<kTimes>::kTokens;
  const Source source = source_of<kTimes>(p, matrix, first_row, first_token);
  const int blocks = p.k / 32;

  float sums[kTimes][kThreadRows] = {};
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
  store_tile(p, outputs_of(p, matrix), first_row, first_token, sums);
}

}  // namespace

#define BELAY_GEMM_Q8(type, Format)                                                                    \
  BELAY_KERNEL_BOUNDS(belay_linear_gemm_q8_##type, LinearParams p, BELAY_LINEAR_GEMM_Q8_THREADS, 2) {  \
    gemm<Format, BELAY_LINEAR_GEMM_TOKENS / kApart>(p);                                                \
  }                                                                                                    \
  BELAY_KERNEL_BOUNDS(belay_linear_gemm_q8s_##type, LinearParams p, BELAY_LINEAR_GEMM_Q8_THREADS, 2) { \
    gemm<Format, BELAY_LINEAR_GEMM_SMALL_TOKENS / kApart>(p);                                          \
  }

BELAY_GEMM_Q8(q8_0, FormatQ8_0)
BELAY_GEMM_Q8(q4_0, FormatQ4_0)
BELAY_GEMM_Q8(q4_1, FormatQ4_1)
BELAY_GEMM_Q8(q5_0, FormatQ5_0)
BELAY_GEMM_Q8(q5_1, FormatQ5_1)
BELAY_GEMM_Q8(q4_k, FormatQ4_K)
BELAY_GEMM_Q8(q5_k, FormatQ5_K)
BELAY_GEMM_Q8(q6_k, FormatQ6_K)
