// Where words go: stdout is data, stderr is talk. The only file that writes to either.
#pragma once

#include "core/base/log.hpp"

#include <string_view>

namespace belay::host {

// Sends log messages to stderr: warnings and errors always, the rest when `verbose`.
void show_log(bool verbose);

// Data, written and flushed at once. False when nobody reads any more.
bool write_out(std::string_view text);

// A line of talk.
void say(std::string_view line);

// A line that the next one overwrites; only on a terminal. An empty text clears it.
void progress(std::string_view text);

[[nodiscard]] bool stdin_is_terminal();

}  // namespace belay::host
