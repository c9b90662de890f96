// The only file that knows liburing.
#include "plugins/nvme_offload/ring.hpp"

#include <liburing.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

namespace belay::nvme {
namespace {

class Uring final : public Ring {
 public:
  explicit Uring(const io_uring& ring) : ring_(ring) {
    std::array<int, kSlots> empty{};
    empty.fill(-1);
    has_table_ = io_uring_register_files(&ring_, empty.data(), kSlots) == 0;
  }
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;
  ~Uring() override { io_uring_queue_exit(&ring_); }

  int submit(std::span<const Request> requests) override {
    std::array<io_uring_sqe*, kMostInFlight> entries{};
    std::size_t filled = 0;
    while (filled < std::min(requests.size(), entries.size())) {
      io_uring_sqe* entry = io_uring_get_sqe(&ring_);
      if (entry == nullptr) break;
      fill(*entry, requests[filled]);
      entries[filled++] = entry;
    }
    const int status = io_uring_submit(&ring_);
    const std::size_t sent = status > 0 ? static_cast<std::size_t>(status) : 0;
    const std::size_t idle_sent = std::min(idle_, sent);
    const std::size_t taken = sent - idle_sent;
    // What the kernel left lying it would take with the next call, when its memory may be somebody else's.
    for (std::size_t i = taken; i < filled; ++i) {
      io_uring_prep_nop(entries[i]);
      io_uring_sqe_set_data(entries[i], nullptr);
    }
    idle_ = idle_ - idle_sent + (filled - taken);
    return taken > 0 ? static_cast<int>(taken) : std::min(status, 0);
  }

  int wait(std::uint64_t timeout_ns, Completion& completion) override {
    constexpr std::uint64_t kSecond = 1'000'000'000;
    __kernel_timespec timeout{};
    timeout.tv_sec = static_cast<long long>(timeout_ns / kSecond);
    timeout.tv_nsec = static_cast<long long>(timeout_ns % kSecond);
    for (;;) {
      io_uring_cqe* entry = nullptr;
      const int status = io_uring_wait_cqe_timeout(&ring_, &entry, &timeout);
      if (status == -ETIME || status == -EINTR || status == -EAGAIN) return 0;
      if (status < 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));  // nobody may spin on a broken ring
        return status;
      }
      completion = {io_uring_cqe_get_data(entry), entry->res};
      io_uring_cqe_seen(&ring_, entry);
      if (completion.tag != nullptr) return 1;  // else an entry that became a no-op
    }
  }

  void cancel(const void* /*owner*/) override {}  // what the disk has been asked for cannot be taken back

  int register_buffers(std::span<const std::span<std::byte>> pieces) override {
    if (has_buffers_) io_uring_unregister_buffers(&ring_);
    has_buffers_ = false;
    if (pieces.empty()) return 0;
    std::vector<iovec> buffers;
    buffers.reserve(pieces.size());
    for (const std::span<std::byte> piece : pieces) buffers.push_back({piece.data(), piece.size()});
    const int status =
        io_uring_register_buffers(&ring_, buffers.data(), static_cast<unsigned>(buffers.size()));
    has_buffers_ = status == 0;
    return status;
  }

  int register_file(int slot, int fd) override {
    if (!has_table_) return -ENXIO;
    const int status = io_uring_register_files_update(&ring_, static_cast<unsigned>(slot), &fd, 1);
    return std::min(status, 0);
  }

 private:
  static void fill(io_uring_sqe& entry, const Request& request) {
    const bool by_slot = request.slot >= 0;
    const int file = by_slot ? request.slot : request.fd;
    if (request.buffer >= 0) {
      io_uring_prep_read_fixed(&entry, file, request.to, request.bytes, request.offset, request.buffer);
    } else {
      io_uring_prep_read(&entry, file, request.to, request.bytes, request.offset);
    }
    if (by_slot) entry.flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data(&entry, request.tag);
  }

  io_uring ring_;
  bool has_table_ = false;
  bool has_buffers_ = false;
  std::size_t idle_ = 0;  // no-ops in the queue, in front of whatever comes next
};

}  // namespace

// Not IORING_SETUP_SINGLE_ISSUER: it binds the ring to one thread, and [control] calls may come from several.
// Not IORING_SETUP_SQPOLL: its thread costs a CPU and was no faster.
std::unique_ptr<Ring> make_uring(std::uint32_t entries, bool cooperative, int* error) {
  io_uring ring{};
  io_uring_params params{};
  if (cooperative) params.flags = IORING_SETUP_COOP_TASKRUN;
  *error = io_uring_queue_init_params(entries, &ring, &params);
  if (*error != 0) return nullptr;
  // Linux 5.11. Without it a wait with a timeout submits an entry of its own; pread does as well there.
  if ((params.features & IORING_FEAT_EXT_ARG) == 0) {
    io_uring_queue_exit(&ring);
    *error = -ENOSYS;
    return nullptr;
  }
  return std::make_unique<Uring>(ring);
}

}  // namespace belay::nvme
