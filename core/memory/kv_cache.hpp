// The keys and values of every layer, which the core owns: (kv_heads, position/64, 64, head_dim) for each
// layer, keys and values apart, f32, f16 or q8_0. Memory is used as positions are written, not before. One
// thread at a time.
#pragma once

#include "core/base/dtype.hpp"
#include "core/memory/buffer.hpp"

#include <belay/op.h>

#include <cstdint>
#include <optional>

namespace belay::memory {

struct KvCacheShape {
  std::uint32_t layers = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint64_t positions = 0;  // rounded up to whole blocks
  DType dtype = DType::kF32;
};

// Bytes of a cache when every position is used, or nothing on overflow or where a head's row is not whole
// blocks of the type.
[[nodiscard]] std::optional<std::uint64_t> kv_cache_bytes(const KvCacheShape& shape);

class KvCache {
 public:
  [[nodiscard]] static Result<KvCache> create(const KvCacheShape& shape);

  // Views of one layer's keys and values; valid while the cache lives.
  [[nodiscard]] belay_tensor_t keys(std::uint32_t layer) { return view(2 * std::uint64_t{layer}); }
  [[nodiscard]] belay_tensor_t values(std::uint32_t layer) { return view(2 * std::uint64_t{layer} + 1); }

  [[nodiscard]] std::uint64_t capacity() const { return blocks_ * BELAY_KV_BLOCK; }
  [[nodiscard]] std::uint64_t bytes() const { return buffer_.size(); }

 private:
  [[nodiscard]] belay_tensor_t view(std::uint64_t half);

  KvCacheShape shape_;
  std::uint64_t blocks_ = 0;
  std::uint64_t half_bytes_ = 0;  // the keys, or the values, of one layer
  Buffer buffer_;                 // layer 0 keys, layer 0 values, layer 1 keys, ...
};

}  // namespace belay::memory
