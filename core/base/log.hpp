// Talk for people. Core and plugins never print: they log here, and the host decides where it goes.
// Any thread; the sink is called under a lock, one message at a time.
#pragma once

#include "core/base/format.hpp"

#include <functional>
#include <string_view>

namespace belay {

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError };

using LogSink = std::function<void(LogLevel, std::string_view message)>;

// Replaces the sink; an empty one drops every message (the default).
void set_log_sink(LogSink sink);

void log_text(LogLevel level, std::string_view message);

template <class... Args>
void log(LogLevel level, fmt::format_string<Args...> text, Args&&... args) {
  log_text(level, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace belay
