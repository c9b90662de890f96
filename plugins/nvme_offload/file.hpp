// An open file, and what its file system was seen to allow. Owns the descriptor.
#pragma once

#include "plugins/nvme_offload/rung.hpp"
#include "plugins/nvme_offload/system.hpp"

#include <belay/status.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace belay::nvme {

class Reader;

struct File {
  explicit File(System& calls) : system(calls) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd >= 0) system.close(fd);
  }

  System& system;
  Reader* reader = nullptr;  // whose file it is
  std::string path;
  int fd = -1;
  int slot = -1;                  // in the ring's table
  std::uint32_t block = 0;        // what extents are multiples of; stays when the method changes
  std::uint64_t bytes = 0;        // when it was opened
  Rung rung = Rung::kRegistered;  // the best that this file allows
};

// Opens a regular file and tries whether it can be read past the page cache, unless `best` says not to.
// BELAY_IO or BELAY_INVALID_ARGUMENT with a message that names the path.
belay_status_t open_file(System& system, std::string_view path, Rung best, std::unique_ptr<File>& opened,
                         belay_error_t* error);

// No way back: further reads go through the page cache.
void read_buffered(File& file);

}  // namespace belay::nvme
