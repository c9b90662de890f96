// Sweeps that are short in CI and whole on request: tools/check --long sets BELAY_TEST_LONG.
#pragma once

#include <cstdlib>

namespace belay::test {

[[nodiscard]] inline int times(int in_ci, int on_request) {
  return std::getenv("BELAY_TEST_LONG") != nullptr ? on_request : in_ci;
}

}  // namespace belay::test
