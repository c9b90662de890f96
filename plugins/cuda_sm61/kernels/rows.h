// Reading and writing four elements at a time, and sums over a block. Device code.
#pragma once

#include "plugins/cuda_sm61/kernels/device.h"

// Elements 4 * quad .. 4 * quad + 3 of a row of `count`, zeros beyond its end. 16 bytes at once where rows of
// that length are aligned.
BELAY_DEVICE float4 load_quad(const float* row, int quad, int count) {
  if (count % 4 == 0) return reinterpret_cast<const float4*>(row)[quad];
  const int i = 4 * quad;
  return make_float4(row[i], i + 1 < count ? row[i + 1] : 0.0f, i + 2 < count ? row[i + 2] : 0.0f,
                     i + 3 < count ? row[i + 3] : 0.0f);
}

BELAY_DEVICE void store_quad(float* row, int quad, int count, const float4& value) {
  if (count % 4 == 0) {
    reinterpret_cast<float4*>(row)[quad] = value;
    return;
  }
  const int i = 4 * quad;
  row[i] = value.x;
  if (i + 1 < count) row[i + 1] = value.y;
  if (i + 2 < count) row[i + 2] = value.z;
  if (i + 3 < count) row[i + 3] = value.w;
}

// The same in an array of any length that begins aligned: only its last quad may be cut.
BELAY_DEVICE float4 load_flat(const float* array, long long quad, long long count) {
  if (4 * quad + 4 <= count) return reinterpret_cast<const float4*>(array)[quad];
  const long long left = count - 4 * quad;
  return make_float4(array[4 * quad], left > 1 ? array[4 * quad + 1] : 0.0f,
                     left > 2 ? array[4 * quad + 2] : 0.0f, 0.0f);
}

BELAY_DEVICE void store_flat(float* array, long long quad, long long count, const float4& value) {
  if (4 * quad + 4 <= count) {
    reinterpret_cast<float4*>(array)[quad] = value;
    return;
  }
  const long long left = count - 4 * quad;
  array[4 * quad] = value.x;
  if (left > 1) array[4 * quad + 1] = value.y;
  if (left > 2) array[4 * quad + 2] = value.z;
}

BELAY_DEVICE float minus_infinity() { return bits_to_float(0xff800000u); }

BELAY_DEVICE float4 operator+(const float4& a, const float4& b) {
  return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}
BELAY_DEVICE float4 operator*(const float4& a, const float4& b) {
  return make_float4(a.x * b.x, a.y * b.y, a.z * b.z, a.w * b.w);
}
BELAY_DEVICE float4 operator*(float a, const float4& b) {
  return make_float4(a * b.x, a * b.y, a * b.z, a * b.w);
}
// sum + a . b
BELAY_DEVICE float add_dot(float sum, const float4& a, const float4& b) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}
// sum + a * b
BELAY_DEVICE void add_scaled(float4& sum, float a, const float4& b) {
  sum.x = fmaf(a, b.x, sum.x);
  sum.y = fmaf(a, b.y, sum.y);
  sum.z = fmaf(a, b.z, sum.z);
  sum.w = fmaf(a, b.w, sum.w);
}

// Sums over a block of kThreads; every thread gets the same bits.
template <int kThreads>
BELAY_DEVICE float block_sum(float value) {
  BELAY_SHARED(float, parts, kThreads / 32);
  value = warp_sum(value);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = 0.0f;
  BELAY_UNROLL
  for (int i = 0; i < kThreads / 32; ++i) sum += parts[i];
  __syncthreads();  // before the next call writes
  return sum;
}
