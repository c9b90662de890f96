#include "core/base/log.hpp"
#include "core/registry/probe_child.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

namespace belay::registry {
namespace {

constexpr std::size_t kMaxRequest = std::size_t{1} << 20U;

std::string read_all(int fd) {
  std::string text;
  std::array<char, 16384> buffer{};
  while (text.size() <= kMaxRequest) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return;  // the parent is gone, and ends this process with it
    text.remove_prefix(static_cast<std::size_t>(put));
  }
}

// A crash leaves no core file and no orphan.
void lower_limits() {
  const rlimit none = {0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
}

}  // namespace

int probe_child_main() {
  constexpr int kAboveStandardFiles = 3;
  lower_limits();
  const std::string request = read_all(STDIN_FILENO);
  const int answers = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, kAboveStandardFiles);
  if (answers < 0 || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) return 1;
  set_log_sink(
      [](LogLevel, std::string_view message) { write_all(STDERR_FILENO, std::string(message) + "\n"); });
  return run_probe_child(request, [answers](std::string_view line) { write_all(answers, line); });
}

}  // namespace belay::registry
