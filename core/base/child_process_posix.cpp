#include "core/base/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

namespace belay {
namespace {

using Clock = std::chrono::steady_clock;

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { close(); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

struct Pipe {
  Fd read;
  Fd write;
};

bool open_pipe(Pipe& pipe) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  pipe = {Fd(ends[0]), Fd(ends[1])};
  return true;
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  out.reserve(words.size() + 1);
  for (const std::string& word : words)
    out.push_back(const_cast<char*>(word.c_str()));  // posix_spawn does not write
  out.push_back(nullptr);
  return out;
}

struct Pipes {
  Pipe in;
  Pipe out;
  Pipe err;
};

// Starts the child in a process group of its own with the three pipes as its standard files; 0 or errno.
int spawn(const ChildRequest& request, const Pipes& pipes, pid_t& pid) {
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&files, pipes.in.read.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, pipes.out.write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, pipes.err.write.get(), STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);  // what our own parent left open
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  sigset_t none{};
  sigset_t all{};
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  const auto argv = pointers(request.argv);
  const auto envp = pointers(request.environment);
  const int number = ::posix_spawnp(&pid, argv[0], &files, &attributes, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  return number;
}

// Reads what is there; closes the pipe at its end.
void drain(Fd& fd, std::string& text, std::size_t limit) {
  std::array<char, 16384> buffer{};
  const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) return fd.close();
  const std::size_t room = limit - std::min(limit, text.size());
  text.append(buffer.data(), std::min(room, static_cast<std::size_t>(got)));
}

// Writes what is left of the input; closes the pipe when all is written or nobody reads.
void feed(Fd& fd, const std::string& input, std::size_t& written) {
  const ssize_t put = ::write(fd.get(), input.data() + written, input.size() - written);
  if (put < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (put < 0) return fd.close();
  written += static_cast<std::size_t>(put);
  if (written == input.size()) fd.close();
}

// Moves bytes until the child closed both outputs, or the deadline. False: the deadline.
bool converse(Pipes& pipes, const ChildRequest& request, Clock::time_point deadline, ChildResult& result) {
  std::size_t written = 0;
  if (request.input.empty()) pipes.in.write.close();
  while (pipes.out.read.get() >= 0 || pipes.err.read.get() >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    std::array<pollfd, 3> polled = {{{pipes.out.read.get(), POLLIN, 0},
                                     {pipes.err.read.get(), POLLIN, 0},
                                     {pipes.in.write.get(), POLLOUT, 0}}};
    if (::poll(polled.data(), polled.size(), static_cast<int>(std::min<long long>(left, 1000))) <= 0)
      continue;
    if (polled[0].revents != 0) drain(pipes.out.read, result.output, request.max_output);
    if (polled[1].revents != 0) drain(pipes.err.read, result.errors, request.max_output);
    if (polled[2].revents != 0) feed(pipes.in.write, request.input, written);
  }
  return true;
}

// Waits for the child's end until the deadline. False: still running.
bool reap(pid_t pid, Clock::time_point deadline, int& status) {
  for (;;) {
    const pid_t got = ::waitpid(pid, &status, WNOHANG);
    if (got == pid) return true;
    if (got < 0 && errno != EINTR) return true;
    if (Clock::now() >= deadline) return false;
    ::usleep(200);
  }
}

}  // namespace

ChildResult run_child(const ChildRequest& request) {
  ChildResult result;
  Pipes pipes;
  if (request.argv.empty() || !open_pipe(pipes.in) || !open_pipe(pipes.out) || !open_pipe(pipes.err)) {
    result.code = request.argv.empty() ? EINVAL : errno;
    return result;
  }
  // A write to a child that stopped reading must be an error here, not a signal for the whole process.
  struct sigaction ignore = {};
  struct sigaction before = {};
  ignore.sa_handler = SIG_IGN;  // NOLINT(cppcoreguidelines-pro-type-cstyle-cast)
  ::sigaction(SIGPIPE, &ignore, &before);
  const auto deadline = Clock::now() + request.timeout;
  pid_t pid = 0;
  result.code = spawn(request, pipes, pid);
  if (result.code == 0) {
    pipes.in.read.close();
    pipes.out.write.close();
    pipes.err.write.close();
    ::fcntl(pipes.in.write.get(), F_SETFL, O_NONBLOCK);
    int status = 0;
    const bool finished = converse(pipes, request, deadline, result) && reap(pid, deadline, status);
    ::kill(-pid, SIGKILL);  // also what the child left behind in its group
    if (!finished) {
      ::waitpid(pid, &status, 0);
      result.end = ChildResult::End::kTimedOut;
    } else if (WIFSIGNALED(status)) {
      result.end = ChildResult::End::kSignalled;
      result.code = WTERMSIG(status);
    } else {
      result.end = ChildResult::End::kExited;
      result.code = WEXITSTATUS(status);
    }
  }
  ::sigaction(SIGPIPE, &before, nullptr);
  return result;
}

}  // namespace belay
