#include "plugins/cuda_sm61/kernels/norm_params.h"
#include "plugins/cuda_sm61/kernels/quantise.h"
#include "plugins/cuda_sm61/kernels/rows.h"

namespace {

// Quad `quad` of a row of the sum x + add, which is written, or of x.
BELAY_DEVICE float4 take(const float* x, const float* add, float* sum, int quad, int d) {
  float4 value = load_quad(x, quad, d);
  if (add != nullptr) {
    value = value + load_quad(add, quad, d);
    store_quad(sum, quad, d, value);
  }
  return value;
}

template <int kThreads>
BELAY_DEVICE float row_sum(float value) {
  return kThreads == 32 ? warp_sum(value) : block_sum<kThreads>(value);
}

// One row by kThreads threads, of which this one is `thread`.
template <int kThreads>
BELAY_DEVICE void rms_norm_row(const RmsNormParams& p, int row, int thread) {
  const int quads = (p.d + 3) / 4;
  const long long first = static_cast<long long>(row) * p.d;
  const float* const add = p.add == nullptr ? nullptr : p.add + first;
  const float* const from = p.add == nullptr ? p.x + first : p.sum + first;
  float squares = 0.0f;
  for (int quad = thread; quad < quads; quad += kThreads) {
    const float4 value = take(p.x + first, add, p.sum + first, quad, p.d);
    squares = add_dot(squares, value, value);
  }
  const float scale = 1.0f / sqrtf(row_sum<kThreads>(squares) / static_cast<float>(p.d) + p.epsilon);
  // Whole warps go on together, because quantising exchanges.
  for (int base = thread - thread % 32; base < quads; base += kThreads) {
    const int quad = base + thread % 32;
    const bool inside = quad < quads;
    float4 y = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (inside) y = (scale * load_quad(from, quad, p.d)) * load_quad(p.weight, quad, p.d);
    if (inside && p.y != nullptr) store_quad(p.y + first, quad, p.d, y);
    if (p.low != nullptr) {
      store_quantised({p.low, p.high, p.scales}, first / 32 + quad / 8, quad % 8, y, inside);
    }
  }
}

}  // namespace

BELAY_KERNEL_BOUNDS(belay_rms_norm, RmsNormParams p, 256, 6) {
  rms_norm_row<256>(p, static_cast<int>(blockIdx.x), static_cast<int>(threadIdx.x));
}

BELAY_KERNEL_BOUNDS(belay_rms_norm_short, RmsNormParams p, 256, 6) {
  const int row = static_cast<int>(blockIdx.x * 8 + threadIdx.x / 32);
  if (row < p.rows) rms_norm_row<32>(p, row, static_cast<int>(threadIdx.x % 32));
}

BELAY_KERNEL_BOUNDS(belay_layer_norm, LayerNormParams p, 256, 6) {
  const int thread = static_cast<int>(threadIdx.x);
  const int quads = (p.d + 3) / 4;
  const long long first = static_cast<long long>(blockIdx.x) * p.d;
  const float* const add = p.add == nullptr ? nullptr : p.add + first;
  const float* const from = p.add == nullptr ? p.x + first : p.sum + first;
  const auto count = static_cast<float>(p.d);
  float sum = 0.0f;
  for (int quad = thread; quad < quads; quad += 256) {
    const float4 value = take(p.x + first, add, p.sum + first, quad, p.d);
    sum += (value.x + value.y) + (value.z + value.w);
  }
  const float mean = block_sum<256>(sum) / count;
  float squares = 0.0f;
  for (int quad = thread; quad < quads; quad += 256) {
    const float4 value = load_quad(from, quad, p.d);
    const int left = p.d - 4 * quad;  // what load_quad filled up is no part of the row
    const float4 off = make_float4(value.x - mean, left > 1 ? value.y - mean : 0.0f,
                                   left > 2 ? value.z - mean : 0.0f, left > 3 ? value.w - mean : 0.0f);
    squares = add_dot(squares, off, off);
  }
  const float scale = 1.0f / sqrtf(block_sum<256>(squares) / count + p.epsilon);
  const float4 centre = make_float4(-mean, -mean, -mean, -mean);
  for (int quad = thread; quad < quads; quad += 256) {
    const float4 normalised = scale * (load_quad(from, quad, p.d) + centre);
    const float4 y = normalised * load_quad(p.weight, quad, p.d) + load_quad(p.bias, quad, p.d);
    store_quad(p.y + first, quad, p.d, y);
  }
}
