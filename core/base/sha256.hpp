// SHA-256 of bytes in memory, as 64 lower-case hexadecimal digits. The only file that uses nettle.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace belay {

[[nodiscard]] std::string sha256_hex(std::span<const std::byte> bytes);

}  // namespace belay
