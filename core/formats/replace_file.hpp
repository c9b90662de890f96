// Writes a file so that a reader, a crash or a full disk never sees half of it.
#pragma once

#include "core/base/status.hpp"

#include <cstddef>
#include <filesystem>
#include <span>

namespace belay::formats {

// Writes the pieces one after another to a temporary file beside `path`, syncs it and renames it over `path`.
// On failure the temporary file is removed and `path` is as it was. kOutOfMemory when the disk is full,
// kUsage otherwise.
[[nodiscard]] Status replace_file(const std::filesystem::path& path,
                                  std::span<const std::span<const std::byte>> pieces);

}  // namespace belay::formats
