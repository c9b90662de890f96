// A text in pieces that a model can read whole, to be scored. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace belay::runtime {

struct WindowRule {
  std::size_t size = 0;      // tokens of a window, at least 2
  std::size_t unscored = 0;  // of these at its start, which only give context: at least 1, below `size`
  std::optional<std::int32_t> bos;  // in front of every window, counted in both
};

// The text from its start in windows one behind the other. The last may be shorter; it is left out when none
// of its tokens would be scored.
[[nodiscard]] std::vector<std::vector<std::int32_t>> cut_windows(std::span<const std::int32_t> ids,
                                                                 const WindowRule& rule);

}  // namespace belay::runtime
