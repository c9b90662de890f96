#include "host/console.hpp"
#include "host/paths.hpp"

#include <unistd.h>

#include <cerrno>
#include <string>

namespace belay::host {
namespace {

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

bool write_out(std::string_view text) { return write_all(STDOUT_FILENO, text); }

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

}  // namespace belay::host
