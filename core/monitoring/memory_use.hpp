// How much memory this process uses. Any thread; nothing where the system does not say.
#pragma once

#include <cstdint>
#include <optional>

namespace belay::monitoring {

// The resident memory now.
[[nodiscard]] std::optional<std::uint64_t> rss_bytes();

// The most resident memory so far.
[[nodiscard]] std::optional<std::uint64_t> peak_rss_bytes();

}  // namespace belay::monitoring
