// "Did you mean ...?" for a word that is not among those that are known.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace belay::manifest {

// " (did you mean "fma"?)" with the nearest candidate by edit distance, or nothing when none is near.
[[nodiscard]] std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace belay::manifest
