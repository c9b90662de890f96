// Tokens times panels [k][row] of a weight, with activations as they are: for the file's layout, which is
// unpacked to panels, and for packed floats, which are panels. Sums run over chunks of k, each one chain,
// added in order, whatever the number of tokens.
#pragma once

#include "plugins/cpu_kernels/ops/linear.hpp"
#include "plugins/cpu_kernels/ops/outer_tile.hpp"

#include <algorithm>

namespace belay::BELAY_ISA {

// Over kF32Chunk values of k the activations of a tile take 12 KiB of L1, the panels of a block 192 KiB of
// L2.
inline constexpr int64_t kBlockRows = 96;

// The weight rows [row, row + rows), at most kTileWidth, and k in [first, first + count).
struct Panel {
  int64_t row;
  int64_t rows;
  int64_t first;
  int64_t count;
};

// Bytes that are asked for a few at a time, while something else is computed.
struct Fetch {
  const uint8_t* at = nullptr;
  const uint8_t* end = nullptr;
  void next(int64_t bytes) {
    for (const uint8_t* stop = std::min(at + bytes, end); at < stop; at += 64) __builtin_prefetch(at, 0, 2);
  }
};

// kRows tokens from `token` on times one panel.
template <int kRows, class Element>
inline void multiply(const LinearTask& task, const float* x, int64_t token, const Panel& panel,
                     const Element* packed, Fetch fetch) {
  constexpr int64_t kStep = 64;  // of k
  constexpr int64_t kBytesAtOnce = 1024;
  const RowsOf<float> out = {task.out + token * task.weight.rows + panel.row, task.weight.rows};
  for (int r = 0; r < kRows; ++r) __builtin_prefetch(out.row(r), 1);
  F32 acc[kRows][kTileVectors];
  for (auto& row : acc) {
    for (F32& a : row) a = zero();
  }
  const int64_t cols = task.weight.cols;
  // In steps when there is much to fetch, because a burst of requests would stand in each other's way.
  const int64_t bytes = fetch.end - fetch.at;
  const int64_t step = bytes > kBytesAtOnce ? kStep : std::max<int64_t>(panel.count, 1);
  const int64_t bytes_of_step = bytes > kBytesAtOnce ? bytes * kStep / panel.count + 64 : bytes;
  for (int64_t k = 0; k < panel.count; k += step) {
    fetch.next(bytes_of_step);
    add_outer<kRows, kTileVectors, Element>({x + token * cols + panel.first + k, cols},
                                            {packed + k * kTileWidth, kTileWidth},
                                            std::min(step, panel.count - k), acc);
  }
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

// What comes after a block of panels: `bytes` for each, `apart` bytes from one to the next.
struct NextPanels {
  const void* first = nullptr;
  int64_t apart = 0;
  int64_t bytes = 0;

  // The share of panel `index` that goes with the tokens [begin, end) of `tokens`.
  [[nodiscard]] Fetch share(int64_t index, int64_t begin, int64_t end, int64_t tokens) const {
    if (bytes == 0) return {};
    const auto* panel = static_cast<const uint8_t*>(first) + index * apart;
    return {panel + bytes * begin / tokens, panel + bytes * end / tokens};
  }
};

// All tokens with a block of panels, the weight rows [panel.row, end) over the panel's chunk of k. The panels
// lie `apart` elements from each other. Meanwhile the next block is fetched.
template <class Element>
inline void multiply_block(const LinearTask& task, const float* x, Panel panel, int64_t end,
                           const Element* packed, int64_t apart, const NextPanels& next) {
  const int64_t begin = panel.row;
  for (int64_t token = 0; token < task.tokens;) {
    const int64_t tokens = next_tile_rows(task.tokens - token);
    const RowsOf<const float> ahead = {x + (token + tokens) * task.weight.cols + panel.first,
                                       task.weight.cols};
    for (panel.row = begin; panel.row < end; panel.row += kTileWidth) {
      const int64_t index = (panel.row - begin) / kTileWidth;
      panel.rows = std::min<int64_t>(kTileWidth, end - panel.row);
      // The next tile's activations, a share with each panel.
      prefetch(ahead, tokens, panel.count * (panel.row - begin) / (end - begin),
               panel.count * (panel.row + panel.rows - begin) / (end - begin));
      const Fetch fetch = next.share(index, token, token + tokens, task.tokens);
      with_tile_rows(
          tokens, [&](auto tile) { multiply<tile>(task, x, token, panel, packed + index * apart, fetch); });
    }
    token += tokens;
  }
}

}  // namespace belay::BELAY_ISA
