// Work in a process of its own that is killed after a while.
#pragma once

#include "tests/support/doctest.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <thread>

namespace belay::test {

// False when it was done before; then it must have been done well.
inline bool killed_after(std::chrono::microseconds wait, const std::function<bool()>& work) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(work() ? 0 : 1);
  std::this_thread::sleep_for(wait);
  ::kill(child, SIGKILL);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  const bool killed = WIFSIGNALED(status);
  if (!killed) CHECK(WEXITSTATUS(status) == 0);
  return killed;
}

}  // namespace belay::test
