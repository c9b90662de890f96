#include "plugins/cuda_sm61/kernels/pointwise_params.h"
#include "plugins/cuda_sm61/kernels/quantise.h"
#include "plugins/cuda_sm61/kernels/rows.h"

namespace {

// Calls f(quad, inside) for every quad of `count` elements, in whole warps: lanes beyond the end call, too.
template <class Function>
BELAY_DEVICE void for_each_quad(long long count, Function f) {
  const long long quads = (count + 3) / 4;
  const long long stride = static_cast<long long>(gridDim.x) * blockDim.x;
  const int lane = static_cast<int>(threadIdx.x % 32);
  const long long first = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x - lane;
  for (long long base = first; base < quads; base += stride) f(base + lane, base + lane < quads);
}

BELAY_DEVICE float silu(float x) { return x / (1.0f + expf(-x)); }

BELAY_DEVICE float gelu_erf(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678f)); }

BELAY_DEVICE float gelu_tanh(float x) {
  const float inner = 0.79788456f * (x + 0.044715f * x * x * x);
  return 0.5f * x * (1.0f + tanhf(inner));
}

// Writes a quad as floats, quantised, or both.
BELAY_DEVICE void put(float* y, const Quantised& quantised, long long quad, long long count,
                      const float4& value, bool inside) {
  if (inside && y != nullptr) store_flat(y, quad, count, value);
  if (quantised.low != nullptr)
    store_quantised(quantised, quad / 8, static_cast<int>(quad % 8), value, inside);
}

}  // namespace

BELAY_KERNEL_BOUNDS(belay_add, AddParams p, 256, 8) {
  for_each_quad(p.count, [&](long long quad, bool inside) {
    if (inside) store_flat(p.y, quad, p.count, load_flat(p.a, quad, p.count) + load_flat(p.b, quad, p.count));
  });
}

BELAY_KERNEL_BOUNDS(belay_silu_mul, SiluMulParams p, 256, 6) {
  for_each_quad(p.count, [&](long long quad, bool inside) {
    float4 y = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (inside) {
      const float4 gate = load_flat(p.gate, quad, p.count);
      y = make_float4(silu(gate.x), silu(gate.y), silu(gate.z), silu(gate.w)) *
          load_flat(p.up, quad, p.count);
    }
    put(p.y, {p.low, p.high, p.scales}, quad, p.count, y, inside);
  });
}

BELAY_KERNEL_BOUNDS(belay_gelu, GeluParams p, 256, 6) {
  for_each_quad(p.count, [&](long long quad, bool inside) {
    const float4 x = inside ? load_flat(p.x, quad, p.count) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    const float4 y = p.tanh_form != 0
                         ? make_float4(gelu_tanh(x.x), gelu_tanh(x.y), gelu_tanh(x.z), gelu_tanh(x.w))
                         : make_float4(gelu_erf(x.x), gelu_erf(x.y), gelu_erf(x.z), gelu_erf(x.w));
    put(p.y, {p.low, p.high, p.scales}, quad, p.count, y, inside);
  });
}
