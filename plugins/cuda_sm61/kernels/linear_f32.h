// Activations as floats, four at a time. Device code.
#pragma once

#include "plugins/cuda_sm61/kernels/linear_blocks.h"

// The values `at` (a multiple of 4) to at + 3 of a row of k activations, zero beyond its end.
template <class Format>
BELAY_DEVICE float4 activations(const float* row, int at, int k) {
  if (Format::kWholeBlocks) return plane_at<float4>(row, at / 4);
  if (k % 4 == 0) return at < k ? plane_at<float4>(row, at / 4) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  // Rows of another length do not begin at multiples of 16 bytes.
  return make_float4(at < k ? load_constant(row + at) : 0.0f, at + 1 < k ? load_constant(row + at + 1) : 0.0f,
                     at + 2 < k ? load_constant(row + at + 2) : 0.0f,
                     at + 3 < k ? load_constant(row + at + 3) : 0.0f);
}

BELAY_DEVICE float add_products(float sum, const float4& a, const float4& b) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}
