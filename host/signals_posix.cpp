#include "host/signals.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace belay::host {
namespace {

std::atomic<bool> flag{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

int pipe_ends[2] = {-1, -1};  // read, write

// Also in a signal handler.
void stop() {
  flag.store(true, std::memory_order_relaxed);
  [[maybe_unused]] const ssize_t written = ::write(pipe_ends[1], "", 1);  // a full pipe says enough
}

void handle(int number) {
  const int error = errno;
  stop();
  errno = error;
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
  if (pipe_ends[0] < 0 && ::pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) != 0) pipe_ends[0] = pipe_ends[1] = -1;
  install_stops();
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;  // NOLINT(cppcoreguidelines-pro-type-cstyle-cast): the system's macro
  ::sigaction(SIGPIPE, &ignore, nullptr);
}

void clear_stop() {
  for (char byte = 0; ::read(pipe_ends[0], &byte, 1) == 1;) {
  }
  flag.store(false, std::memory_order_relaxed);
  install_stops();
}

void request_stop() { stop(); }

const std::atomic<bool>& interrupted() { return flag; }

int interrupted_descriptor() { return pipe_ends[0]; }

}  // namespace belay::host
