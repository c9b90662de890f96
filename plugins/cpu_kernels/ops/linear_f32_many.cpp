// Many tokens with activations as they are. A block of the weight, some rows over a chunk of k, is unpacked
// once to panels [k][row] that stay in L2 while all tokens pass, a few at a time that stay in L1. Sums run
// over chunks of k, added in order, whatever the number of tokens.
#include "plugins/cpu_kernels/ops/panel_product.hpp"

namespace belay::BELAY_ISA {
namespace {

// Rows past the last repeat it; their results are dropped.
void pack(const Weight& weight, UnpackRows unpack, const Panel& panel, float* to) {
  constexpr int64_t kStride =
      kF32Chunk + 16;  // not a power of two, so that rows do not compete for cache sets
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

}  // namespace

void many_tokens_f32(const LinearTask& task, UnpackRows unpack, const float* x, int64_t begin, int64_t end,
                     float* panels) {
  static_assert(kRowsF32 % kTileWidth == 0 && kBlockRows % kTileWidth == 0);
  static_assert(kBlockRows * kF32Chunk == kPanelFloatsF32);
  for (int64_t row = begin; row < end; row += kBlockRows) {
    const int64_t block_end = std::min(row + kBlockRows, end);
    Panel panel = {row, 0, 0, 0};
    do {
      panel.count = std::min(kF32Chunk, task.weight.cols - panel.first);
      for (panel.row = row; panel.row < block_end; panel.row += kTileWidth) {
        panel.rows = std::min<int64_t>(kTileWidth, block_end - panel.row);
        pack(task.weight, unpack, panel, panels + (panel.row - row) * kF32Chunk);
      }
      panel.row = row;
      multiply_block(task, x, panel, block_end, panels, kTileWidth * kF32Chunk, {});
      panel.first += kF32Chunk;
    } while (panel.first < task.weight.cols);
  }
}

}  // namespace belay::BELAY_ISA
