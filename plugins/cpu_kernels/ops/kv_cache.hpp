// The KV cache as kernels see it: [kv_heads, blocks, 64, D] of f32, f16 or q8_0, checked once for each run.
#pragma once

#include "plugins/cpu_kernels/ops/check.hpp"

namespace belay::BELAY_ISA {

// What a kernel knows of its caches from the description.
struct CacheShape {
  int32_t dtype;  // F32, F16 or Q8_0
  int64_t kv_heads;
  int64_t d;

  // Of one position of one head.
  [[nodiscard]] uint64_t row_bytes() const {
    uint64_t bytes = 0;
    BELAY_ISA::row_bytes(dtype, d, bytes);
    return bytes;
  }
};

// In supports: whether a tensor is such a cache of `kv_heads` heads of `d` elements.
inline bool is_cache(const belay_tensor_t& t, const char* name, int64_t kv_heads, int64_t d,
                     sdk::Support& answer) {
  if (t.dtype != BELAY_DTYPE_F32 && t.dtype != BELAY_DTYPE_F16 && t.dtype != BELAY_DTYPE_Q8_0) {
    return answer.no(BELAY_UNSUPPORTED, "%s has dtype %d, not f32, f16 or q8_0", name, t.dtype);
  }
  return is_tensor(t, name, t.dtype, {kv_heads, kTokens, BELAY_KV_BLOCK, d}, answer);
}

// One cache during a run.
struct Cache {
  uint8_t* data;
  int64_t blocks;
  uint64_t row_bytes;  // of one position of one head

  [[nodiscard]] uint8_t* block(int64_t head, int64_t index) const {
    return data + static_cast<uint64_t>((head * blocks + index) * BELAY_KV_BLOCK) * row_bytes;
  }
};

// The cache behind a run's operand, which must hold `positions`; else fails and returns its status.
inline belay_status_t open_cache(const belay_run_t& run, const belay_tensor_t& t, const CacheShape& shape,
                                 uint64_t positions, Cache& cache) {
  cache = {static_cast<uint8_t*>(t.data), t.rank == 4 ? t.shape[1] : -1, shape.row_bytes()};
  uint64_t needed = 0;
  const bool too_big = cache.blocks < 0 ||
                       __builtin_mul_overflow(static_cast<uint64_t>(cache.blocks), BELAY_KV_BLOCK, &needed);
  if (too_big || needed < positions) {
    return sdk::fail(run.error, BELAY_INVALID_ARGUMENT,
                     "run: the cache has %lld blocks of 64, too few for %llu positions",
                     static_cast<long long>(cache.blocks), static_cast<unsigned long long>(positions));
  }
  if (__builtin_mul_overflow(needed, cache.row_bytes * static_cast<uint64_t>(shape.kv_heads), &needed) ||
      (needed > 0 && (t.data == nullptr || t.nbytes < needed)) || t.dtype != shape.dtype) {
    return sdk::fail(run.error, BELAY_INVALID_ARGUMENT,
                     "run: the cache is not as described or has no data in host memory");
  }
  return BELAY_OK;
}

}  // namespace belay::BELAY_ISA
