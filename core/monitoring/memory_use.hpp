// How much memory this process uses. Any thread; nothing where the system does not say.
#pragma once

#include <cstdint>
#include <optional>

namespace belay::monitoring {

// The most resident memory so far.
[[nodiscard]] std::optional<std::uint64_t> peak_rss_bytes();

}  // namespace belay::monitoring
