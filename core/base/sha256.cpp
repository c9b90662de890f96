#include "core/base/sha256.hpp"

#include "core/base/format.hpp"

#include <sodium/crypto_hash_sha256.h>

#include <array>

namespace belay {

std::string sha256_hex(std::span<const std::byte> bytes) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  return format("{:02x}", fmt::join(digest, ""));
}

}  // namespace belay
