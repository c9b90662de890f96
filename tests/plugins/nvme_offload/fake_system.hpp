// A system for the plugin that is the same on every machine: files are the real ones, the ring is played,
// direct reads must be aligned as on a drive, and any call can be made to fail.
#pragma once

#include "plugins/nvme_offload/system.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

namespace belay::nvme::test {

enum class Call : std::uint8_t {
  kOpen,
  kStatus,
  kSetDirect,
  kRead,  // of a thread, and the trial when a file is opened
  kStartThread,
  kMakeRing,
  kSubmit,
  kWait,
  kRingRead,  // what the ring completes with
  kRegisterBuffers,
  kRegisterFile,
  kCalls
};

// Calls `first` to `first + times - 1` of a kind give `result` instead of being done. A positive result is a
// short read, of that many bytes at most.
struct Fault {
  Call call = Call::kCalls;
  int first = 0;
  int times = 1;
  std::int64_t result = 0;
};

// What the fakes count and do; outlives them.
struct Script {
  Fault fault;
  std::uint32_t block = 512;
  bool no_direct_reads = false;  // O_DIRECT can be switched on, and every such read is refused
  bool registered_refused = false;
  bool cooperative_refused = false;
  std::uint64_t broken_from = ~std::uint64_t{0};  // reads that begin there or behind give EIO
  bool silent = false;                            // the ring completes nothing
  std::array<std::atomic<int>, static_cast<std::size_t>(Call::kCalls)> calls{};
  std::atomic<int> faults = 0;  // that happened
  std::atomic<int> in_ring = 0;
  std::atomic<int> ring_reads = 0;
  std::atomic<int> fixed_reads = 0;  // into registered memory
  std::atomic<int> dropped = 0;      // from the page cache
  std::atomic<int> open_files = 0;

  // 0, or what the fault gives for this call.
  std::int64_t next(Call call);
};

class FakeSystem : public PosixSystem {
 public:
  explicit FakeSystem(Script& script) : script_(script) {}

  int open(const char* path) override;
  void close(int fd) override;
  int status(int fd, FileStatus& status) override;
  std::uint32_t direct_block(int fd) override;
  int set_direct(int fd, bool on) override;
  std::int64_t read(int fd, void* to, std::uint64_t bytes, std::uint64_t offset) override;
  void drop_cached(int fd, std::uint64_t offset, std::uint64_t bytes) override;
  int start_thread(std::thread& thread, void (*body)(void*), void* argument) override;
  std::unique_ptr<Ring> make_ring(std::uint32_t entries, bool cooperative, int* error) override;

  // As the kernel does for a ring and for a thread.
  std::int64_t read_now(Call call, int fd, void* to, std::uint64_t bytes, std::uint64_t offset);

 private:
  Script& script_;
  std::array<std::atomic<bool>, 1024> direct_{};  // by descriptor
};

}  // namespace belay::nvme::test
