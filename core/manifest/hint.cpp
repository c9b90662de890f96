#include "core/manifest/hint.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"

#include <algorithm>

namespace belay::manifest {

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
  constexpr std::size_t kMaxWord = 64;  // the distance costs the product of both lengths
  if (word.size() > kMaxWord) return "";
  std::string_view nearest;
  // Two swapped letters are a distance of 2, which in a word of two letters is everything.
  std::size_t least = (word.size() < 3 ? 1 : std::max<std::size_t>(2, word.size() / 3)) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < least) nearest = candidate, least = distance;
  }
  return nearest.empty() ? "" : format(" (did you mean \"{}\"?)", nearest);
}

}  // namespace belay::manifest
