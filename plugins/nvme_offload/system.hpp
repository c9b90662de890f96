// Every call to the operating system that this plugin makes, so that tests can make each of them fail.
// Errors are negative errno values, as io_uring gives them.
#pragma once

#include "plugins/nvme_offload/ring.hpp"

#include <cstdint>
#include <memory>
#include <thread>

namespace belay::nvme {

struct FileStatus {
  bool regular = false;
  std::uint64_t bytes = 0;
};

class System {
 public:
  System() = default;
  System(const System&) = delete;
  System& operator=(const System&) = delete;
  virtual ~System() = default;

  // For reading; never waits for the other end of a pipe. A descriptor or -errno.
  virtual int open(const char* path) = 0;
  virtual void close(int fd) = 0;
  virtual int status(int fd, FileStatus& status) = 0;
  // What offsets, sizes and addresses of direct reads must be multiples of; 0: the kernel does not say.
  virtual std::uint32_t direct_block(int fd) = 0;
  // Switches O_DIRECT on or off for all further reads.
  virtual int set_direct(int fd, bool on) = 0;
  // [any] Bytes or -errno.
  virtual std::int64_t read(int fd, void* to, std::uint64_t bytes, std::uint64_t offset) = 0;
  // Advice about the page cache, which may be ignored. drop_cached is [any].
  virtual void no_read_ahead(int fd) = 0;
  virtual void drop_cached(int fd, std::uint64_t offset, std::uint64_t bytes) = 0;

  // A thread that no signal of the process is delivered to. 0 or -errno.
  virtual int start_thread(std::thread& thread, void (*body)(void*), void* argument) = 0;
  // As make_uring.
  virtual std::unique_ptr<Ring> make_ring(std::uint32_t entries, bool cooperative, int* error) = 0;
};

// The real one.
class PosixSystem : public System {
 public:
  int open(const char* path) override;
  void close(int fd) override;
  int status(int fd, FileStatus& status) override;
  std::uint32_t direct_block(int fd) override;
  int set_direct(int fd, bool on) override;
  std::int64_t read(int fd, void* to, std::uint64_t bytes, std::uint64_t offset) override;
  void no_read_ahead(int fd) override;
  void drop_cached(int fd, std::uint64_t offset, std::uint64_t bytes) override;
  int start_thread(std::thread& thread, void (*body)(void*), void* argument) override;
  std::unique_ptr<Ring> make_ring(std::uint32_t entries, bool cooperative, int* error) override;
};

}  // namespace belay::nvme
