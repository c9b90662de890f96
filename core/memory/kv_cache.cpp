#include "core/memory/kv_cache.hpp"

#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/memory/tensor.hpp"

#include <array>

namespace belay::memory {
namespace {

std::uint64_t block_count(std::uint64_t positions) {
  return positions / BELAY_KV_BLOCK + (positions % BELAY_KV_BLOCK == 0 ? 0 : 1);
}

// Nothing as kv_cache_bytes().
std::optional<std::uint64_t> half_bytes(const KvCacheShape& shape) {
  const auto row = row_bytes(shape.dtype, shape.head_dim);
  if (!row) return std::nullopt;
  return (CheckedU64(shape.kv_heads) * block_count(shape.positions) * BELAY_KV_BLOCK * *row).value();
}

}  // namespace

std::optional<std::uint64_t> kv_cache_bytes(const KvCacheShape& shape) {
  const auto half = half_bytes(shape);
  return half ? (CheckedU64(*half) * 2 * shape.layers).value() : std::nullopt;
}

Result<KvCache> KvCache::create(const KvCacheShape& shape) {
  const auto bytes = kv_cache_bytes(shape);
  if (!bytes)
    return fail(ErrorCode::kOutOfMemory, "a KV cache of {} positions is larger than memory can be",
                shape.positions);
  KvCache cache;
  cache.shape_ = shape;
  cache.blocks_ = block_count(shape.positions);
  cache.half_bytes_ = *half_bytes(shape);
  BELAY_TRY_ASSIGN(cache.buffer_, Buffer::allocate(*bytes, "the KV cache"));
  return cache;
}

belay_tensor_t KvCache::view(std::uint64_t half) {
  const std::array<std::int64_t, 4> shape = {shape_.kv_heads, static_cast<std::int64_t>(blocks_),
                                             BELAY_KV_BLOCK, shape_.head_dim};
  return describe(shape_.dtype, shape, buffer_.data() + half * half_bytes_);
}

}  // namespace belay::memory
