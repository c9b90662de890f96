#include "core/dispatch/failure.hpp"

#include "core/base/log.hpp"
#include "core/base/text.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace belay::dispatch {

std::string_view status_name(belay_status_t code) {
  static constexpr std::array<std::string_view, 18> kNames = {"OK",
                                                              "UNSUPPORTED",
                                                              "INVALID_ARGUMENT",
                                                              "OOM_HOST",
                                                              "OOM_DEVICE",
                                                              "NO_KERNEL_IMAGE",
                                                              "NO_DRIVER",
                                                              "DRIVER_TOO_OLD",
                                                              "NO_DEVICE",
                                                              "DEVICE_BUSY",
                                                              "DEVICE_LOST",
                                                              "TIMEOUT",
                                                              "CANCELLED",
                                                              "IO",
                                                              "CORRUPT",
                                                              "CONTRACT",
                                                              "ABI_MISMATCH",
                                                              "INTERNAL"};
  const auto index = static_cast<std::size_t>(code);
  return code >= 0 && index < kNames.size() ? kNames[index] : "UNKNOWN_STATUS";
}

std::string_view scope_name(std::int32_t scope) {
  static constexpr std::array<std::string_view, 7> kNames = {"op",     "out_of_memory", "stream",  "device",
                                                             "plugin", "process",       "contract"};
  const auto index = static_cast<std::size_t>(scope);
  return scope >= 0 && index < kNames.size() ? kNames[index] : "unknown";
}

Failure describe(belay_status_t status, const belay_error_t& error) {
  Failure failure;
  failure.code = status;
  if (error.code != status) return failure;  // left from before, or not filled
  failure.scope = error.scope;
  failure.message =
      printable(std::string_view(error.message, ::strnlen(error.message, sizeof error.message)), 256);
  return failure;
}

std::string text(const Failure& failure) {
  const std::string_view separator = failure.message.empty() ? "" : ": ";
  return format("{} ({}){}{}", status_name(failure.code), scope_name(failure.scope), separator,
                failure.message);
}

void FallbackLog::record(std::string_view op, std::string_view from, std::string_view to,
                         const Failure& failure) {
  const std::string_view reason = status_name(failure.code);
  const auto same = [&](const Fallback& known) {
    return known.op == op && known.from == from && known.to == to && known.reason == reason;
  };
  const auto known = std::find_if(entries_.begin(), entries_.end(), same);
  if (known != entries_.end()) {
    ++known->count;
    return;
  }
  entries_.push_back({std::string(op), std::string(from), std::string(to), std::string(reason), 1});
  log(LogLevel::kWarn, "fallback: {} ran on {} because {} failed: {}", op, to, from, text(failure));
}

}  // namespace belay::dispatch
