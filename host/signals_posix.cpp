#include "host/signals.hpp"

#include <csignal>

namespace belay::host {
namespace {

std::atomic<bool> flag{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

void handle(int number) {
  flag.store(true, std::memory_order_relaxed);
  struct sigaction normal = {};
  normal.sa_handler = SIG_DFL;  // NOLINT(cppcoreguidelines-pro-type-cstyle-cast): the system's macro
  ::sigaction(number, &normal, nullptr);
}

// Without SA_RESTART: a read from the terminal ends, too.
void install_stops() {
  struct sigaction action = {};
  action.sa_handler = &handle;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

void install_signals() {
  install_stops();
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;  // NOLINT(cppcoreguidelines-pro-type-cstyle-cast): the system's macro
  ::sigaction(SIGPIPE, &ignore, nullptr);
}

void clear_stop() {
  flag.store(false, std::memory_order_relaxed);
  install_stops();
}

void request_stop() { flag.store(true, std::memory_order_relaxed); }

const std::atomic<bool>& interrupted() { return flag; }

}  // namespace belay::host
