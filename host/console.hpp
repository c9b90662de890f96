// Where words go: stdout is data, stderr is talk. The only file that writes to either.
#pragma once

#include "core/base/log.hpp"
#include "core/base/status.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace belay::host {

// Sends log messages to stderr: warnings and errors always, the rest when `verbose`.
void show_log(bool verbose);

// Data, written and flushed at once. False when that failed; see output_status().
bool write_out(std::string_view text);

// Why data could not be written: kOutOfMemory when the disk is full, kGeneral otherwise. Not an error: that
// the reader had enough, as `head` has.
[[nodiscard]] Status output_status();

// Standard files that the caller left closed are opened on nothing, so that no file of ours takes their
// numbers and our words with them. First thing in the program.
void secure_standard_files();

// A line of talk.
void say(std::string_view line);

// A line that the next one overwrites; only on a terminal. An empty text clears it.
void progress(std::string_view text);

[[nodiscard]] bool stdin_is_terminal();

// The next line of stdin, behind a prompt on stderr; nothing at its end, and when Ctrl-C came while it
// waited.
[[nodiscard]] std::optional<std::string> read_line(std::string_view prompt);

}  // namespace belay::host
