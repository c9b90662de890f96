#include "tests/support/io_faults.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <string>
#include <string_view>

namespace {

std::atomic<bool> counting = false;
std::atomic<int> calls = 0;
std::atomic<int> fails = 0;
std::atomic<std::int64_t> gives = 0;

bool is_library(int fd) {
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  std::array<char, 512> path = {};
  const ssize_t bytes = ::readlink(link.c_str(), path.data(), path.size());
  return bytes > 0 && std::string_view(path.data(), static_cast<std::size_t>(bytes)).ends_with(".so");
}

// What this call is to give; 0: what it really does.
std::int64_t next(int fd) {
  if (!counting || is_library(fd)) return 0;
  return ++calls == fails ? gives.load() : 0;
}

bool failed(std::int64_t fault) {
  if (fault < 0) errno = static_cast<int>(-fault);
  return fault < 0;
}

std::size_t shortened(std::size_t bytes, std::int64_t fault) {
  return fault > 0 ? std::min(bytes, static_cast<std::size_t>(fault)) : bytes;
}

}  // namespace

namespace belay::test {

void fail_io(int number, std::int64_t result) {
  calls = 0;
  fails = number;
  gives = result;
  counting = true;
}

int end_io_faults() {
  counting = false;
  return calls;
}

}  // namespace belay::test

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library calls them __fd and so on
extern "C" {

ssize_t pread(int fd, void* to, size_t bytes, off_t offset) {
  const std::int64_t fault = next(fd);
  return failed(fault) ? -1 : ::syscall(SYS_pread64, fd, to, shortened(bytes, fault), offset);
}

ssize_t pwrite(int fd, const void* from, size_t bytes, off_t offset) {
  const std::int64_t fault = next(fd);
  return failed(fault) ? -1 : ::syscall(SYS_pwrite64, fd, from, shortened(bytes, fault), offset);
}

int fdatasync(int fd) { return failed(next(fd)) ? -1 : static_cast<int>(::syscall(SYS_fdatasync, fd)); }

int fsync(int fd) { return failed(next(fd)) ? -1 : static_cast<int>(::syscall(SYS_fsync, fd)); }

int ftruncate(int fd, off_t length) noexcept {
  return failed(next(fd)) ? -1 : static_cast<int>(::syscall(SYS_ftruncate, fd, length));
}

int posix_fallocate(int fd, off_t offset, off_t length) {
  if (failed(next(fd))) return errno;
  return ::syscall(SYS_fallocate, fd, 0, offset, length) == 0 ? 0 : errno;
}
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
