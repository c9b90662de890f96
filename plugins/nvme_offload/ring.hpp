// io_uring as this plugin uses it. Only ring_uring.cpp knows liburing; a build without it has ring_none.cpp.
#pragma once

#include "plugins/nvme_offload/transport.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace belay::nvme {

class Ring : public Transport {
 public:
  // Files that the ring's table holds; more are read by descriptor.
  static constexpr int kSlots = 64;

  // Memory that the kernel keeps pinned, in the place of what it had; none: only gives back. 0 or -errno.
  virtual int register_buffers(std::span<const std::span<std::byte>> pieces) = 0;
  // Puts a file into the table, -1 empties the slot. 0 or -errno.
  virtual int register_file(int slot, int fd) = 0;
};

// Null with *error = -errno when the kernel, or this build, offers no ring. `cooperative`: completions wait
// for the submitting thread's next system call instead of interrupting it (Linux 5.19; -EINVAL before).
[[nodiscard]] std::unique_ptr<Ring> make_uring(std::uint32_t entries, bool cooperative, int* error);

}  // namespace belay::nvme
