// Built where liburing is not installed: no ring, so the ladder begins at pread.
#include "plugins/nvme_offload/ring.hpp"

#include <cerrno>

namespace belay::nvme {

std::unique_ptr<Ring> make_uring(std::uint32_t /*entries*/, bool /*cooperative*/, int* error) {
  *error = -ENOSYS;
  return nullptr;
}

}  // namespace belay::nvme
