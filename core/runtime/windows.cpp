#include "core/runtime/windows.hpp"

#include <algorithm>
#include <cassert>

namespace belay::runtime {

std::vector<std::vector<std::int32_t>> cut_windows(std::span<const std::int32_t> ids,
                                                   const WindowRule& rule) {
  assert(rule.unscored >= 1 && rule.unscored < rule.size);
  const std::size_t from_text = rule.size - (rule.bos ? 1 : 0);
  std::vector<std::vector<std::int32_t>> windows;
  for (; !ids.empty(); ids = ids.subspan(std::min(from_text, ids.size()))) {
    const auto part = ids.first(std::min(from_text, ids.size()));
    std::vector<std::int32_t> window;
    if (rule.bos) window.push_back(*rule.bos);
    window.insert(window.end(), part.begin(), part.end());
    if (window.size() > rule.unscored) windows.push_back(std::move(window));
  }
  return windows;
}

}  // namespace belay::runtime
