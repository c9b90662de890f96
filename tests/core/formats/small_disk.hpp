// A disk of a few blocks: code that runs in a child process with a tmpfs of its own, which nobody else sees.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace belay::test {

// What `body` returns (at most 4096 bytes of it), called with a folder on a disk of `bytes`. Nothing when
// this system lets nobody mount a tmpfs without being root.
[[nodiscard]] std::optional<std::string> on_small_disk(
    std::size_t bytes, const std::function<std::string(const std::filesystem::path&)>& body);

}  // namespace belay::test
