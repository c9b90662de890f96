#include "core/memory/kv_cache.hpp"

#include "core/memory/tensor.hpp"
#include "tests/support/doctest.hpp"

#include <array>

using belay::DType;
using belay::ErrorCode;
using belay::memory::Buffer;
using belay::memory::kv_cache_bytes;
using belay::memory::KvCache;

TEST_CASE("a cache gives every layer its keys and values, block by block") {
  auto cache = KvCache::create({2, 3, 8, 65, DType::kF16});
  REQUIRE(cache.ok());
  CHECK(cache->capacity() == 128);
  const std::uint64_t half = std::uint64_t{3} * 128 * 8 * 2;
  CHECK(cache->bytes() == 4 * half);
  const belay_tensor_t keys = cache->keys(0);
  const belay_tensor_t values = cache->values(1);
  CHECK(keys.rank == 4);
  CHECK(keys.shape[1] == 2);
  CHECK(keys.nbytes == half);
  CHECK(keys.stride_bytes[0] == 128 * 8 * 2);
  CHECK(static_cast<std::byte*>(values.data) - static_cast<std::byte*>(keys.data) ==
        static_cast<std::ptrdiff_t>(3 * half));
  CHECK(reinterpret_cast<std::uintptr_t>(keys.data) % 64 == 0);
}

TEST_CASE("absurd caches are refused, not wrapped") {
  const auto huge = KvCache::create({4096, 4096, 1U << 20U, ~std::uint64_t{0}, DType::kF32});
  REQUIRE_FALSE(huge.ok());
  CHECK(huge.error().code == ErrorCode::kOutOfMemory);
  CHECK_FALSE(kv_cache_bytes({4096, 4096, 1U << 20U, std::uint64_t{1} << 40U, DType::kF32}).has_value());
}

TEST_CASE("a buffer larger than the address space is an error that names its purpose") {
  const auto buffer = Buffer::allocate(std::uint64_t{1} << 62U, "a test");
  REQUIRE_FALSE(buffer.ok());
  CHECK(buffer.error().code == ErrorCode::kOutOfMemory);
  CHECK(buffer.error().message.find("a test") != std::string::npos);
}

TEST_CASE("a described tensor of blocks has strides of whole rows") {
  const std::array<std::int64_t, 2> shape = {5, 64};
  belay_tensor_t tensor = belay::memory::describe(DType::kQ4_1, shape, nullptr);
  CHECK(tensor.nbytes == 5 * 2 * 20);
  CHECK(tensor.stride_bytes[0] == 40);
  CHECK(tensor.stride_bytes[1] == 20);
  belay::memory::resize(tensor, 0, 0);
  CHECK(tensor.nbytes == 0);
}
