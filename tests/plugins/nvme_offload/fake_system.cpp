#include "tests/plugins/nvme_offload/fake_system.hpp"

#include <algorithm>
#include <cerrno>
#include <vector>

namespace belay::nvme::test {
namespace {

// Completes in the reverse order, and reads only then: memory that was given back too early shows.
class FakeRing final : public Ring {
 public:
  FakeRing(FakeSystem& system, Script& script) : system_(system), script_(script) {}

  int submit(std::span<const Request> requests) override {
    if (const auto fault = script_.next(Call::kSubmit); fault < 0) return static_cast<int>(fault);
    const std::size_t taken = std::min(requests.size(), kMostInFlight - held_.size());
    held_.insert(held_.end(), requests.begin(), requests.begin() + static_cast<std::ptrdiff_t>(taken));
    script_.in_ring += static_cast<int>(taken);
    return static_cast<int>(taken);
  }

  int wait(std::uint64_t /*timeout_ns*/, Completion& completion) override {
    if (const auto fault = script_.next(Call::kWait); fault < 0) return static_cast<int>(fault);
    if (held_.empty() || script_.silent) return 0;
    const Request request = held_.back();
    held_.pop_back();
    --script_.in_ring;
    completion = {request.tag, carry_out(request)};
    return 1;
  }

  void cancel(const void* /*owner*/) override {}

  int register_buffers(std::span<const std::span<std::byte>> pieces) override {
    pieces_.clear();
    if (const auto fault = script_.next(Call::kRegisterBuffers); fault < 0) return static_cast<int>(fault);
    pieces_.assign(pieces.begin(), pieces.end());
    return 0;
  }

  int register_file(int slot, int fd) override {
    if (const auto fault = script_.next(Call::kRegisterFile); fault < 0) return static_cast<int>(fault);
    table_[static_cast<std::size_t>(slot)] = fd;
    return 0;
  }

 private:
  std::int64_t carry_out(const Request& request) {
    ++script_.ring_reads;
    if (request.buffer >= 0) {
      ++script_.fixed_reads;
      if (script_.registered_refused) return -EINVAL;
      const std::span<std::byte> piece = pieces_.at(static_cast<std::size_t>(request.buffer));
      const auto* first = static_cast<const std::byte*>(request.to);
      if (first < piece.data() || first + request.bytes > piece.data() + piece.size()) return -EFAULT;
    }
    const int fd = request.slot >= 0 ? table_.at(static_cast<std::size_t>(request.slot)) : request.fd;
    return system_.read_now(Call::kRingRead, fd, request.to, request.bytes, request.offset);
  }

  FakeSystem& system_;
  Script& script_;
  std::vector<Request> held_;
  std::vector<std::span<std::byte>> pieces_;
  std::array<int, kSlots> table_{};
};

}  // namespace

std::int64_t Script::next(Call call) {
  const int number = calls[static_cast<std::size_t>(call)]++;
  if (call != fault.call || number < fault.first || number - fault.first >= fault.times) return 0;
  ++faults;
  return fault.result;
}

int FakeSystem::open(const char* path) {
  if (const auto fault = script_.next(Call::kOpen); fault < 0) return static_cast<int>(fault);
  const int fd = PosixSystem::open(path);
  if (fd >= 0) ++script_.open_files;
  return fd;
}

void FakeSystem::close(int fd) {
  --script_.open_files;
  PosixSystem::close(fd);
}

int FakeSystem::status(int fd, FileStatus& status) {
  if (const auto fault = script_.next(Call::kStatus); fault < 0) return static_cast<int>(fault);
  return PosixSystem::status(fd, status);
}

std::uint32_t FakeSystem::direct_block(int /*fd*/) { return script_.block; }

int FakeSystem::set_direct(int fd, bool on) {
  if (const auto fault = script_.next(Call::kSetDirect); fault < 0 && on) return static_cast<int>(fault);
  direct_.at(static_cast<std::size_t>(fd)) = on;
  return 0;
}

std::int64_t FakeSystem::read(int fd, void* to, std::uint64_t bytes, std::uint64_t offset) {
  return read_now(Call::kRead, fd, to, bytes, offset);
}

std::int64_t FakeSystem::read_now(Call call, int fd, void* to, std::uint64_t bytes, std::uint64_t offset) {
  const std::int64_t fault = script_.next(call);
  if (fault < 0) return fault;
  if (offset >= script_.broken_from) return -EIO;
  if (direct_.at(static_cast<std::size_t>(fd))) {
    const std::uint64_t block = script_.block != 0 ? script_.block : 4096;
    const auto address = reinterpret_cast<std::uintptr_t>(to);
    if (script_.no_direct_reads || (address | bytes | offset) % block != 0) return -EINVAL;
  }
  if (fault > 0) bytes = std::min(bytes, static_cast<std::uint64_t>(fault));
  return PosixSystem::read(fd, to, bytes, offset);
}

void FakeSystem::drop_cached(int /*fd*/, std::uint64_t /*offset*/, std::uint64_t /*bytes*/) {
  ++script_.dropped;
}

int FakeSystem::start_thread(std::thread& thread, void (*body)(void*), void* argument) {
  if (const auto fault = script_.next(Call::kStartThread); fault < 0) return static_cast<int>(fault);
  return PosixSystem::start_thread(thread, body, argument);
}

std::unique_ptr<Ring> FakeSystem::make_ring(std::uint32_t /*entries*/, bool cooperative, int* error) {
  *error = static_cast<int>(script_.next(Call::kMakeRing));
  if (cooperative && script_.cooperative_refused) *error = -EINVAL;
  if (*error != 0) return nullptr;
  return std::make_unique<FakeRing>(*this, script_);
}

}  // namespace belay::nvme::test
