#include "core/base/status.hpp"

namespace belay {

const char* to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kGeneral:
      return "ERROR";
    case ErrorCode::kUsage:
      return "USAGE";
    case ErrorCode::kBadInput:
      return "BAD_INPUT";
    case ErrorCode::kNoPlugin:
      return "NO_PLUGIN";
    case ErrorCode::kFallbackForbidden:
      return "FALLBACK_FORBIDDEN";
    case ErrorCode::kOutOfMemory:
      return "OUT_OF_MEMORY";
    case ErrorCode::kDeadline:
      return "DEADLINE";
    case ErrorCode::kInterrupted:
      return "INTERRUPTED";
    case ErrorCode::kStateLost:
      return "STATE_LOST";
  }
  return "ERROR";
}

}  // namespace belay
