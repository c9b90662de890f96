// Many tokens with activations as they are. A block of the weight, some rows over a chunk of k, is unpacked
// once to panels [k][row] that stay in L2 while all tokens pass, a few at a time that stay in L1. Sums run
// over chunks of k, added in order, whatever the number of tokens.
#include "plugins/cpu_kernels/ops/linear.hpp"
#include "plugins/cpu_kernels/ops/outer_tile.hpp"

#include <algorithm>

namespace belay::BELAY_ISA {
namespace {

constexpr int64_t kChunk = 512;     // of k: the activations of a tile take 12 KiB of L1
constexpr int64_t kBlockRows = 96;  // the panels take 192 KiB of L2

// The weight rows [row, row + rows), at most kTileWidth, and k in [first, first + count).
struct Panel {
  int64_t row;
  int64_t rows;
  int64_t first;
  int64_t count;
};

// Rows past the last repeat it; their results are dropped.
void pack(const Weight& weight, UnpackRows unpack, const Panel& panel, float* to) {
  constexpr int64_t kStride = kChunk + 16;  // not a power of two, so that rows do not compete for cache sets
  alignas(64) float buffer[kLanes * kStride];
  for (int64_t r = 0; r < panel.rows; r += kLanes) {
    const int64_t row = panel.row + r;
    if (weight.dtype == BELAY_DTYPE_F32 && row + kLanes <= weight.rows && weight.row_bytes % 4 == 0) {
      const uint8_t* data = weight.data + static_cast<uint64_t>(row) * weight.row_bytes;
      pack_columns(
          {reinterpret_cast<const float*>(data) + panel.first, static_cast<int64_t>(weight.row_bytes / 4)},
          panel.count, to + r);
    } else {
      Rows rows;
      row_pointers(weight.data, weight.row_bytes, row, weight.rows - row, rows);
      unpack(rows, kLanes, panel.first, panel.count, buffer, kStride);
      pack_columns({buffer, kStride}, panel.count, to + r);
    }
  }
}

// kRows tokens from `token` on times one panel.
template <int kRows>
void multiply(const LinearTask& task, const float* x, int64_t token, const Panel& panel,
              const float* packed) {
  const RowsOf<float> out = {task.out + token * task.weight.rows + panel.row, task.weight.rows};
  for (int r = 0; r < kRows; ++r) __builtin_prefetch(out.row(r), 1);
  F32 acc[kRows][kTileVectors];
  for (auto& row : acc) {
    for (F32& a : row) a = zero();
  }
  const int64_t cols = task.weight.cols;
  add_outer({x + token * cols + panel.first, cols}, {packed, kTileWidth}, panel.count, acc);
  const bool is_last = panel.first + panel.count >= cols;
  // Unrolled, so that the sums never leave the registers.
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int j = 0; j < kTileVectors; ++j) {
      const int64_t width = panel.rows - j * kLanes;
      if (width <= 0) continue;
      float* to = out.row(r) + j * kLanes;
      F32 sum = acc[r][j];
      if (panel.first > 0) sum = load_upto(to, width) + sum;
      if (is_last && task.bias != nullptr) sum = sum + load_upto(task.bias + panel.row + j * kLanes, width);
      store_upto(sum, to, width);
    }
  }
}

// All tokens with a block of packed panels, the weight rows [panel.row, end) over the panel's chunk of k.
void multiply_block(const LinearTask& task, const float* x, Panel panel, int64_t end, const float* packed) {
  const int64_t begin = panel.row;
  for (int64_t token = 0; token < task.tokens;) {
    const int64_t tokens = next_tile_rows(task.tokens - token);
    const RowsOf<const float> ahead = {x + (token + tokens) * task.weight.cols + panel.first,
                                       task.weight.cols};
    for (panel.row = begin; panel.row < end; panel.row += kTileWidth) {
      panel.rows = std::min<int64_t>(kTileWidth, end - panel.row);
      // The next tile's activations, a share with each panel.
      prefetch(ahead, tokens, panel.count * (panel.row - begin) / (end - begin),
               panel.count * (panel.row + panel.rows - begin) / (end - begin));
      with_tile_rows(tokens, [&](auto tile) {
        multiply<tile>(task, x, token, panel, packed + (panel.row - begin) * kChunk);
      });
    }
    token += tokens;
  }
}

}  // namespace

void many_tokens_f32(const LinearTask& task, UnpackRows unpack, const float* x, int64_t begin, int64_t end,
                     float* panels) {
  static_assert(kPanelRowsF32 % kTileWidth == 0 && kBlockRows % kTileWidth == 0);
  static_assert(kBlockRows * kChunk == kPanelFloatsF32);
  for (int64_t row = begin; row < end; row += kBlockRows) {
    const int64_t block_end = std::min(row + kBlockRows, end);
    Panel panel = {row, 0, 0, 0};
    do {
      panel.count = std::min(kChunk, task.weight.cols - panel.first);
      for (panel.row = row; panel.row < block_end; panel.row += kTileWidth) {
        panel.rows = std::min<int64_t>(kTileWidth, block_end - panel.row);
        pack(task.weight, unpack, panel, panels + (panel.row - row) * kChunk);
      }
      panel.row = row;
      multiply_block(task, x, panel, block_end, panels);
      panel.first += kChunk;
    } while (panel.first < task.weight.cols);
  }
}

}  // namespace belay::BELAY_ISA
