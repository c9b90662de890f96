#include "core/manifest/refusal.hpp"

namespace belay {

std::string_view to_string(Stage stage) {
  switch (stage) {
    case Stage::kParse:
      return "parse";
    case Stage::kTrust:
      return "trust";
    case Stage::kFit:
      return "fit";
    case Stage::kProbe:
      return "probe";
    case Stage::kResolve:
      return "resolve";
    case Stage::kOpen:
      return "open";
    case Stage::kQuarantine:
      return "quarantine";
  }
  return "parse";
}

}  // namespace belay
