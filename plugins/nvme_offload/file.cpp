#include "plugins/nvme_offload/file.hpp"

#include "plugins/nvme_offload/failure.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <vector>

namespace belay::nvme {
namespace {

constexpr std::uint32_t kLeastBlock = 512;
constexpr std::uint32_t kUsualBlock = 4096;  // a multiple of every drive's logical block
constexpr std::uint32_t kMostBlock = 65536;  // storage.h

template <class Call>
int repeated(Call call) {
  int status = -EINTR;
  while (status == -EINTR) status = call();
  return status;
}

std::uint32_t block_of(const File& file) {
  const std::uint32_t told = file.system.direct_block(file.fd);
  return std::has_single_bit(told) && told <= kMostBlock ? std::max(told, kLeastBlock) : kUsualBlock;
}

// Some file systems take O_DIRECT and refuse the first read. Other failures are left to whoever reads.
bool reads_directly(const File& file) {
  std::vector<std::byte> room(std::size_t{2} * file.block);
  void* aligned = room.data();
  std::size_t size = room.size();
  std::align(file.block, file.block, aligned, size);
  std::int64_t got = -EINTR;
  while (got == -EINTR) got = file.system.read(file.fd, aligned, file.block, 0);
  return got != -EINVAL && got != -EOPNOTSUPP;
}

}  // namespace

belay_status_t open_file(System& system, std::string_view path, Rung best, std::unique_ptr<File>& opened,
                         belay_error_t* error) {
  auto file = std::make_unique<File>(system);
  file->path = path;
  const std::string name = shown(path);
  if (path.find('\0') != std::string_view::npos) {
    return sdk::fail(error, BELAY_INVALID_ARGUMENT, "the path %s... has a 0 byte inside", name.c_str());
  }
  file->fd = repeated([&] { return system.open(file->path.c_str()); });
  if (file->fd < 0) {
    return io_failure(error, -file->fd, "%s cannot be opened: %s", name.c_str(), words_of(-file->fd).c_str());
  }
  FileStatus status;
  if (const int result = repeated([&] { return system.status(file->fd, status); }); result < 0) {
    return io_failure(error, -result, "%s cannot be looked at: %s", name.c_str(), words_of(-result).c_str());
  }
  if (!status.regular) return io_failure(error, 0, "%s is not a regular file", name.c_str());
  file->bytes = status.bytes;
  file->block = block_of(*file);
  file->rung = best;
  const bool direct = best != Rung::kBuffered && system.set_direct(file->fd, true) == 0;
  if (!direct || !reads_directly(*file)) read_buffered(*file);
  opened = std::move(file);
  return BELAY_OK;
}

void read_buffered(File& file) {
  file.rung = Rung::kBuffered;
  file.system.set_direct(file.fd, false);
  file.system.no_read_ahead(file.fd);
}

}  // namespace belay::nvme
