// Text formatting. The only file that includes fmt (GCC 12 has no std::format).
#pragma once

#include "core/base/status.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace belay {

using fmt::format;
using fmt::join;

// An Error with a formatted message: `return fail(ErrorCode::kUsage, "{}: no such file", path);`
template <class... Args>
[[nodiscard]] Error fail(ErrorCode code, fmt::format_string<Args...> text, Args&&... args) {
  return Error{code, fmt::format(text, std::forward<Args>(args)...)};
}

}  // namespace belay
