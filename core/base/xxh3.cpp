#include "core/base/xxh3.hpp"

#include <xxhash.h>

namespace belay {

Xxh3 xxh3(std::span<const std::byte> bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

}  // namespace belay
