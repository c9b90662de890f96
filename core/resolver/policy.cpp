#include "core/resolver/policy.hpp"

namespace belay::resolver {

manifest::Budget level_budget(manifest::Level level) {
  switch (level) {
    case manifest::Level::kMinimal:
      return {.kld = 1e-5, .top1 = {}, .ppl = {}};
    case manifest::Level::kModerate:
      return {.kld = 0.005, .top1 = 0.975, .ppl = 0.005};
    case manifest::Level::kAggressive:
      break;
  }
  return {.kld = 0.06, .top1 = 0.88, .ppl = 0.03};
}

bool matches_glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;  // the last one seen; it may swallow one more character
  std::size_t swallowed = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      swallowed = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++swallowed;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace belay::resolver
