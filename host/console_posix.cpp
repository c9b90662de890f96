#include "host/console.hpp"
#include "host/paths.hpp"
#include "host/signals.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace belay::host {
namespace {

int output_error = 0;  // errno of the first data that could not be written

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

bool stderr_is_terminal() {
  static const bool terminal = ::isatty(STDERR_FILENO) == 1;
  return terminal;
}

bool colours() { return stderr_is_terminal() && environment("NO_COLOR") == nullptr; }

std::string_view label(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return colours() ? "\033[31merror:\033[0m " : "error: ";
    case LogLevel::kWarn:
      return colours() ? "\033[33mwarning:\033[0m " : "warning: ";
    default:
      return "";
  }
}

}  // namespace

void show_log(bool verbose) {
  set_log_sink([verbose](LogLevel level, std::string_view message) {
    if (level < LogLevel::kWarn && !verbose) return;
    say(std::string(label(level)) + std::string(message));
  });
}

bool write_out(std::string_view text) {
  if (write_all(STDOUT_FILENO, text)) return true;
  if (output_error == 0) output_error = errno;
  return false;
}

Status output_status() {
  if (output_error == 0 || output_error == EPIPE) return {};
  const bool full = output_error == ENOSPC || output_error == EDQUOT;
  return fail(full ? ErrorCode::kOutOfMemory : ErrorCode::kGeneral, "cannot write to stdout: {}",
              std::strerror(output_error));
}

void secure_standard_files() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // Open for reading only: what is written there still fails, and says so. The lowest free number is `fd`.
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) ::open("/dev/null", O_RDONLY);
  }
}

void say(std::string_view line) {
  const std::string whole = std::string(line) + "\n";
  write_all(STDERR_FILENO, whole);
}

void progress(std::string_view text) {
  if (!stderr_is_terminal()) return;
  const std::string whole = "\r\033[K" + std::string(text);
  write_all(STDERR_FILENO, whole);
}

bool stdin_is_terminal() { return ::isatty(STDIN_FILENO) == 1; }

namespace {

// Until there is something to read: false when the user stopped the program, also when that was just before.
bool wait_for_input() {
  pollfd events[] = {{STDIN_FILENO, POLLIN, 0}, {interrupted_descriptor(), POLLIN, 0}};
  while (::poll(events, 2, -1) < 0) {
    if (errno != EINTR) return false;
  }
  return events[1].revents == 0;
}

}  // namespace

std::optional<std::string> read_line(std::string_view prompt) {
  write_all(STDERR_FILENO, prompt);
  std::string line;
  for (char c = 0; wait_for_input() && ::read(STDIN_FILENO, &c, 1) == 1;) {
    if (c == '\n') return line;
    line += c;
  }
  return line.empty() ? std::nullopt : std::optional(std::move(line));
}

}  // namespace belay::host
