// The one seam through which Belay starts another process: its own program again, to look at a plugin or a
// device that might crash or hang. Posix_spawn, own process group, no inherited files but the three pipes,
// killed with its group on a time-out. Any thread; blocks the caller.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace belay {

struct ChildRequest {
  std::vector<std::string> argv;         // argv[0] is the program's path
  std::vector<std::string> environment;  // "NAME=value", the whole of it
  std::string input;                     // given on standard input
  std::chrono::milliseconds timeout{5000};
  std::size_t max_output = std::size_t{1} << 20U;  // more is cut off; the child is not told
};

struct ChildResult {
  enum class End { kExited, kSignalled, kTimedOut, kNotStarted };
  End end = End::kNotStarted;
  int code = 0;  // exit status, signal number, or errno of the start
  std::string output;
  std::string errors;  // what it wrote to standard error, cut to max_output
};

[[nodiscard]] ChildResult run_child(const ChildRequest& request);

// How this process starts itself again: the words in front of the program (an emulator, say), its path, and
// the environment that every child gets. Set once by the host before the first child; tests pass their own.
struct SelfLauncher {
  std::vector<std::string> prefix;  // for example {"qemu-x86_64", "-cpu", "Nehalem"}
  std::string program;              // absolute path of this program
  std::vector<std::string> environment;
};

}  // namespace belay
