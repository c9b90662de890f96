// One exit code for each class of error; a contract with scripts.
#pragma once

#include "core/base/status.hpp"

namespace belay::host {

[[nodiscard]] constexpr int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::kGeneral:
    case ErrorCode::kStateLost:
      return 1;
    case ErrorCode::kUsage:
      return 2;
    case ErrorCode::kBadInput:
      return 3;
    case ErrorCode::kNoPlugin:
      return 4;
    case ErrorCode::kFallbackForbidden:
      return 5;
    case ErrorCode::kOutOfMemory:
      return 6;
    case ErrorCode::kDeadline:
      return 124;
    case ErrorCode::kInterrupted:
      return 130;
  }
  return 1;
}

}  // namespace belay::host
