// Packed floats, panels [k][kTileWidth] of the weight's rows from its first k to its last, and activations as
// they are. A token alone reads several panels side by side, as streams; more tokens share a panel in tiles.
#include "plugins/cpu_kernels/ops/panel_product.hpp"

namespace belay::BELAY_ISA {
namespace {

constexpr int kStreams = 4;  // with kTileVectors sums each: as many chains as hide the latency of mul_add
constexpr int64_t kTokensOfBlock = 64;  // from so many on a block of panels stays in L2 while they pass

template <class Element>
struct Panels {
  const Element* data;
  int64_t cols;
  explicit Panels(const Weight& weight)
      : data(reinterpret_cast<const Element*>(weight.data)), cols(weight.cols) {}
  [[nodiscard]] const Element* at(int64_t row, int64_t k) const {
    return data + row / kTileWidth * apart() + k * kTileWidth;
  }
  [[nodiscard]] int64_t apart() const { return cols * kTileWidth; }
};

// ---- one token

// acc[s] += the products with k < count of panel s, which lies `apart` elements behind the one before.
template <int kCount, class Element>
inline void add_panels(const Element* panel, int64_t apart, const float* x, int64_t count,
                       F32 (&acc)[kCount][kTileVectors]) {
#pragma GCC unroll 2
  for (int64_t k = 0; k < count; ++k) {
    const F32 token = splat(x[k]);
#pragma GCC unroll 4
    for (int s = 0; s < kCount; ++s) {
#pragma GCC unroll 2
      for (int j = 0; j < kTileVectors; ++j)
        acc[s][j] = mul_add(token, load(panel + s * apart + k * kTileWidth + j * kLanes), acc[s][j]);
    }
  }
}

template <int kCount>
inline void clear(F32 (&sums)[kCount][kTileVectors]) {
  for (auto& panel : sums) {
    for (F32& sum : panel) sum = zero();
  }
}

// kCount panels of rows, `apart` rows from one to the next.
template <int kCount, class Element>
void run_panels(const LinearTask& task, const float* x, int64_t row, int64_t apart) {
  const Weight& weight = task.weight;
  const Panels<Element> panels(weight);
  F32 total[kCount][kTileVectors];
  clear(total);
  for (int64_t k = 0; k < weight.cols; k += kF32Chunk) {
    F32 acc[kCount][kTileVectors];
    clear(acc);
    add_panels<kCount>(panels.at(row, k), apart / kTileWidth * panels.apart(), x + k,
                       std::min(kF32Chunk, weight.cols - k), acc);
    for (int s = 0; s < kCount; ++s) {
      for (int j = 0; j < kTileVectors; ++j) total[s][j] = k == 0 ? acc[s][j] : total[s][j] + acc[s][j];
    }
  }
  for (int s = 0; s < kCount; ++s) {
    for (int j = 0; j < kTileVectors; ++j) store_outputs(task, 0, row + s * apart + j * kLanes, total[s][j]);
  }
}

// The rows in kStreams equal parts side by side, then what is left.
template <class Element>
void one_token(const LinearTask& task, const float* x, int64_t begin, int64_t end) {
  const int64_t part = (end - begin) / (kStreams * kTileWidth) * kTileWidth;
  int64_t row = begin;
  for (; row < begin + part; row += kTileWidth) run_panels<kStreams, Element>(task, x, row, part);
  for (row = begin + kStreams * part; row < end; row += kTileWidth) run_panels<1, Element>(task, x, row, 0);
}

// ---- more tokens

// Half floats are converted in every tile, or once to a block of panels when there are many tiles.
template <class Element>
inline constexpr bool kConverts = !std::is_same_v<Element, float>;
constexpr int64_t kTokensToConvert = 2 * kTileRows + 1;

// The panels of the rows [panel.row, end) over the panel's chunk of k, as floats to `to`, side by side.
template <class Element>
void convert(const Panels<Element>& panels, const Panel& panel, int64_t end, float* to) {
  for (int64_t row = panel.row; row < end; row += kTileWidth) {
    const Element* from = panels.at(row, panel.first);
    for (int64_t i = 0; i < panel.count * kTileWidth; i += kLanes) store(load(from + i), to + i);
    to += kTileWidth * kF32Chunk;
  }
}

template <class Element>
void more_tokens(const LinearTask& task, const float* x, int64_t begin, int64_t end, float* panels) {
  const Panels<Element> packed(task.weight);
  const int64_t block = task.tokens < kTokensOfBlock ? kTileWidth : kBlockRows;
  const bool converts = kConverts<Element> && task.tokens >= kTokensToConvert;
  for (int64_t row = begin; row < end; row += block) {
    const int64_t block_end = std::min(row + block, end);
    for (int64_t k = 0; k < task.weight.cols; k += kF32Chunk) {
      const Panel panel = {row, 0, k, std::min(kF32Chunk, task.weight.cols - k)};
      const bool is_last = k + kF32Chunk >= task.weight.cols;
      const NextPanels next = {is_last ? packed.at(row + block, 0) : packed.at(row, k + kF32Chunk),
                               packed.apart() * static_cast<int64_t>(sizeof(Element)),
                               panel.count * kTileWidth * static_cast<int64_t>(sizeof(Element))};
      if (converts) {
        convert(packed, panel, block_end, panels);
        multiply_block<float>(task, x, panel, block_end, panels, kTileWidth * kF32Chunk, next);
      } else {
        multiply_block<Element>(task, x, panel, block_end, packed.at(row, k), packed.apart(), next);
      }
    }
  }
}

template <class Element>
constexpr FloatWay way() {
  return {&one_token<Element>, &more_tokens<Element>, kConverts<Element> ? kTokensToConvert - 1 : INT64_MAX};
}

}  // namespace

FloatWay packed_floats(int32_t dtype) {
  if (dtype == BELAY_DTYPE_F32) return way<float>();
  if (dtype == BELAY_DTYPE_F16) return way<Half>();
  if (dtype == BELAY_DTYPE_BF16) return way<Bfloat>();
  return {};
}

}  // namespace belay::BELAY_ISA
