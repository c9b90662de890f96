#include "core/manifest/manifest.hpp"

namespace belay::manifest {

std::string_view to_string(Level level) {
  switch (level) {
    case Level::kMinimal:
      return "minimal";
    case Level::kModerate:
      return "moderate";
    case Level::kAggressive:
      return "aggressive";
  }
  return "minimal";
}

std::optional<Level> parse_level(std::string_view name) {
  for (const Level level : {Level::kMinimal, Level::kModerate, Level::kAggressive}) {
    if (name == to_string(level)) return level;
  }
  return std::nullopt;
}

}  // namespace belay::manifest
