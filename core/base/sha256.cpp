#include "core/base/sha256.hpp"

#include "core/base/format.hpp"

#include <nettle/sha2.h>

#include <array>

namespace belay {

std::string sha256_hex(std::span<const std::byte> bytes) {
  sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, bytes.size(), reinterpret_cast<const unsigned char*>(bytes.data()));
  std::array<unsigned char, SHA256_DIGEST_SIZE> digest{};
  sha256_digest(&context, digest.size(), digest.data());
  return format("{:02x}", fmt::join(digest, ""));
}

}  // namespace belay
