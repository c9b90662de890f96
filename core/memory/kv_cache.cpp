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

CheckedU64 half_bytes(const KvCacheShape& shape) {
  const CheckedU64 row = CheckedU64(shape.head_dim) * info(shape.dtype).block_bytes;
  return CheckedU64(shape.kv_heads) * block_count(shape.positions) * BELAY_KV_BLOCK * row;
}

}  // namespace

std::optional<std::uint64_t> kv_cache_bytes(const KvCacheShape& shape) {
  return (half_bytes(shape) * 2 * shape.layers).value();
}

Result<KvCache> KvCache::create(const KvCacheShape& shape) {
  const auto bytes = kv_cache_bytes(shape);
  if (!bytes)
    return fail(ErrorCode::kOutOfMemory, "a KV cache of {} positions is larger than memory can be",
                shape.positions);
  KvCache cache;
  cache.shape_ = shape;
  cache.blocks_ = block_count(shape.positions);
  cache.half_bytes_ = *half_bytes(shape).value();
  BELAY_TRY_ASSIGN(cache.buffer_, Buffer::allocate(*bytes, "the KV cache"));
  return cache;
}

belay_tensor_t KvCache::view(std::uint64_t half) {
  const std::array<std::int64_t, 4> shape = {shape_.kv_heads, static_cast<std::int64_t>(blocks_),
                                             BELAY_KV_BLOCK, shape_.head_dim};
  return describe(shape_.dtype, shape, buffer_.data() + half * half_bytes_);
}

}  // namespace belay::memory
