// A few tokens with activations as they are: rows of the weight, unpacked to floats in the first-level cache
// where they are not, times the tokens, by dot_tile. Sums run over chunks of k, added in order: the bits of
// linear_f32_one.cpp.
#include "plugins/cpu_kernels/ops/dot_tile.hpp"
#include "plugins/cpu_kernels/ops/linear.hpp"

#include <algorithm>

namespace belay::BELAY_ISA {
namespace {

constexpr int64_t kPanelRows = 8;
constexpr int64_t kStride = kF32Chunk + 16;  // not a power of two, so that rows do not compete for cache sets
constexpr int64_t kTokenBlock = 64;          // 128 KiB of a chunk's activations stay in L2 while panels pass

struct Panel {
  alignas(64) float buffer[kPanelRows * kStride];
  RowsOf<const float> rows;
  RowsOf<const float> next;  // where the panel after this one lies, when it is not unpacked; else this one
};

// Rows past the last repeat it; their results are dropped.
void fill(const Weight& weight, UnpackRows unpack, int64_t row, int64_t first, int64_t count, Panel& panel) {
  const int64_t here = std::min(kPanelRows, weight.rows - row);
  if (weight.dtype == BELAY_DTYPE_F32 && here == kPanelRows && weight.row_bytes % 4 == 0) {
    const uint8_t* data = weight.data + static_cast<uint64_t>(row) * weight.row_bytes;
    panel.rows = {reinterpret_cast<const float*>(data) + first, static_cast<int64_t>(weight.row_bytes / 4)};
    panel.next = panel.rows.from(kPanelRows);
    return;
  }
  for (int64_t r = 0; r < kPanelRows; r += kLanes) {
    Rows rows;
    const int64_t at = std::min(row + r, weight.rows - 1);
    row_pointers(weight.data, weight.row_bytes, at, weight.rows - at, rows);
    unpack(rows, kLanes, first, count, panel.buffer + r * kStride, kStride);
  }
  panel.rows = {panel.buffer, kStride};
  panel.next = panel.rows;
}

// Adds a chunk's sums [tokens][8] to the output, or starts it.
void add_chunk(const LinearTask& task, const float* sums, int64_t row, int64_t token, int64_t tokens,
               bool is_first, bool is_last) {
  const int64_t here = std::min(kPanelRows, task.weight.rows - row);
  for (int64_t t = 0; t < tokens; ++t) {
    float* out = task.out + (token + t) * task.weight.rows + row;
    for (int64_t r = 0; r < here; ++r) {
      float value = is_first ? sums[t * kPanelRows + r] : out[r] + sums[t * kPanelRows + r];
      if (is_last && task.bias != nullptr) value += task.bias[row + r];
      out[r] = value;
    }
  }
}

// The panel times the tokens, to sums [tokens][8]. Four rows at a time, which leave L1 room for the
// activations; meanwhile the panel that follows in the file is fetched.
void multiply(const Panel& panel, RowsOf<const float> x, int64_t tokens, int64_t count, float* sums) {
  for (int64_t r = 0; r < kPanelRows; r += 4) {
    const RowsOf<const float> rows = panel.rows.from(r);
    const RowsOf<float> to = {sums + r, kPanelRows};
    for (int64_t t = 0; t < tokens;) {
      const int64_t here = std::min<int64_t>(kTileTokens, tokens - t);
      prefetch(panel.next.from(r), 4, count * t / tokens, count * (t + here) / tokens);
      if (here == kTileTokens) {
        dot_tile<4, kTileTokens>(rows, x.from(t), count, to.from(t));
      } else if (here == 2) {
        dot_tile<4, 2>(rows, x.from(t), count, to.from(t));
      } else {
        dot_tile<4, 1>(rows, x.from(t), count, to.from(t));
      }
      t += here;
    }
  }
}

}  // namespace

void few_tokens_f32(const LinearTask& task, UnpackRows unpack, const float* x, int64_t begin, int64_t end) {
  const int64_t cols = task.weight.cols;
  Panel panel;
  alignas(64) float activations[kTokenBlock * kStride];
  alignas(64) float sums[kTokenBlock * kPanelRows];
  for (int64_t token = 0; token < task.tokens; token += kTokenBlock) {
    const int64_t tokens = std::min(kTokenBlock, task.tokens - token);
    int64_t k = 0;
    do {
      const int64_t count = std::min(kF32Chunk, cols - k);
      for (int64_t t = 0; t < tokens; ++t)
        std::copy_n(x + (token + t) * cols + k, count, activations + t * kStride);
      for (int64_t row = begin; row < end; row += kPanelRows) {
        fill(task.weight, unpack, row, k, count, panel);
        multiply(panel, {activations, kStride}, tokens, count, sums);
        add_chunk(task, sums, row, token, tokens, k == 0, k + count >= cols);
      }
      k += kF32Chunk;
    } while (k < cols);
  }
}

}  // namespace belay::BELAY_ISA
