// How single requests get to the disk and back: the kernel's ring (ring.hpp) or a pool of threads (pool.hpp).
// One thread at a time.
#pragma once

#include <cstdint>
#include <span>

namespace belay::nvme {

// The most requests that a transport holds at once: a layer of 128 MiB, and as much of the next.
constexpr std::uint32_t kMostInFlight = 256;

struct Request {
  int fd = -1;
  int slot = -1;             // of the file in the ring's table; -1: by fd
  int buffer = -1;           // registered memory in which `to` lies; -1: none
  bool drop_behind = false;  // the pages are dropped from the page cache once they are copied
  std::uint32_t bytes = 0;
  std::uint64_t offset = 0;
  void* to = nullptr;
  void* tag = nullptr;          // comes back with the completion; never null
  const void* owner = nullptr;  // what cancel() names
};

struct Completion {
  void* tag = nullptr;
  std::int64_t result = 0;  // bytes, or -errno
};

class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  // Takes the first few and returns how many, or -errno and takes none. What is taken is completed some time.
  virtual int submit(std::span<const Request> requests) = 0;
  // 1 with a completion; 0 when none came in time or a signal did; -errno when waiting itself fails.
  virtual int wait(std::uint64_t timeout_ns, Completion& completion) = 0;
  // Requests of this owner that nobody began to carry out may complete with -ECANCELED.
  virtual void cancel(const void* owner) = 0;
};

}  // namespace belay::nvme
