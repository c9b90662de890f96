// Ctrl-C asks, a second one insists: the first sets a flag that the generation checks between operators, the
// second ends the process as it would have without us.
#pragma once

#include <atomic>

namespace belay::host {

// Installs the handlers of SIGINT and SIGTERM and ignores SIGPIPE. Once, from main.
void install_signals();

// The same as Ctrl-C, from inside.
void request_stop();

// Takes a Ctrl-C back that was answered: what was running has stopped, and the next one asks again.
void clear_stop();

// True after the first.
[[nodiscard]] const std::atomic<bool>& interrupted();

// A file descriptor that is readable then, for waits that must not miss it; -1 when the system has none left.
[[nodiscard]] int interrupted_descriptor();

}  // namespace belay::host
