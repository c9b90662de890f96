#include "plugins/nvme_offload/system.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace belay::nvme {
namespace {

int status_of(int result) { return result < 0 ? -errno : result; }

}  // namespace

int PosixSystem::open(const char* path) {
  return status_of(::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

void PosixSystem::close(int fd) { ::close(fd); }

int PosixSystem::status(int fd, FileStatus& status) {
  struct stat found {};
  const int result = status_of(::fstat(fd, &found));
  if (result == 0) status = {S_ISREG(found.st_mode), static_cast<std::uint64_t>(found.st_size)};
  return result;
}

std::uint32_t PosixSystem::direct_block([[maybe_unused]] int fd) {
#ifdef STATX_DIOALIGN  // Linux 6.1
  struct statx found {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &found) == 0 && (found.stx_mask & STATX_DIOALIGN) != 0) {
    return std::max(found.stx_dio_offset_align, found.stx_dio_mem_align);
  }
#endif
  return 0;
}

// Also ends O_NONBLOCK, with which some kernels' rings give EAGAIN instead of waiting for the disk.
int PosixSystem::set_direct(int fd, bool on) { return status_of(::fcntl(fd, F_SETFL, on ? O_DIRECT : 0)); }

std::int64_t PosixSystem::read(int fd, void* to, std::uint64_t bytes, std::uint64_t offset) {
  const ssize_t got = ::pread(fd, to, bytes, static_cast<off_t>(offset));
  return got < 0 ? -errno : got;
}

void PosixSystem::no_read_ahead(int fd) { ::posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM); }

void PosixSystem::drop_cached(int fd, std::uint64_t offset, std::uint64_t bytes) {
  ::posix_fadvise(fd, static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_DONTNEED);
}

int PosixSystem::start_thread(std::thread& thread, void (*body)(void*), void* argument) {
  sigset_t all{};
  sigset_t before{};
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // the new thread inherits it
  int status = 0;
  try {
    thread = std::thread(body, argument);
  } catch (const std::system_error& e) {
    status = -e.code().value();
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return status;
}

std::unique_ptr<Ring> PosixSystem::make_ring(std::uint32_t entries, bool cooperative, int* error) {
  return make_uring(entries, cooperative, error);
}

}  // namespace belay::nvme
