#include "tests/core/formats/small_disk.hpp"

#include "tests/core/formats/temporary_folder.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>

namespace belay::test {
namespace {

constexpr int kNoMount = 3;

bool write_line(const char* path, const std::string& line) {
  return static_cast<bool>(std::ofstream(path) << line << std::flush);
}

// A name space in which this process may mount. Root needs only one for mounts; others become root in one for
// users.
bool enter_own_space() {
  if (::unshare(CLONE_NEWNS) == 0) return true;
  const std::string user = "0 " + std::to_string(::geteuid()) + " 1";
  const std::string group = "0 " + std::to_string(::getegid()) + " 1";
  return ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_line("/proc/self/uid_map", user) &&
         write_line("/proc/self/setgroups", "deny") && write_line("/proc/self/gid_map", group);
}

[[noreturn]] void run_child(const std::filesystem::path& folder, std::size_t bytes, int pipe,
                            const std::function<std::string(const std::filesystem::path&)>& body) {
  const std::string options = "size=" + std::to_string(bytes);
  if (!enter_own_space() || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("belay", folder.c_str(), "tmpfs", 0, options.c_str()) != 0) {
    ::_exit(kNoMount);
  }
  const std::string said = body(folder);
  ::_exit(::write(pipe, said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
}

}  // namespace

std::optional<std::string> on_small_disk(
    std::size_t bytes, const std::function<std::string(const std::filesystem::path&)>& body) {
  const TemporaryFolder folder;
  std::array<int, 2> ends = {};
  if (::pipe(ends.data()) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) run_child(folder.path(), bytes, ends[1], body);
  ::close(ends[1]);
  std::array<char, 4096> said = {};
  const ssize_t length = ::read(ends[0], said.data(), said.size());
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNoMount) return std::nullopt;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return "the child died";
  return std::string(said.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
}

}  // namespace belay::test
