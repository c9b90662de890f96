#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/memory/spill_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace belay::memory {
namespace {

constexpr int kTries = 3;  // of what the disk refuses

bool is_full(int number) { return number == ENOSPC || number == EDQUOT || number == EFBIG; }

// A file that never had a name, or, where the file system cannot do that, one whose name is gone at once.
int open_unnamed(const std::filesystem::path& folder) {
  // With O_EXCL nobody can give it a name later.
  const int fd = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0 || errno == EACCES || errno == ENOSPC || errno == EROFS) return fd;
  std::string name = (folder / "belay-spill-XXXXXX").string();
  const int named = ::mkostemp(name.data(), O_CLOEXEC);  // mode 0600
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

Error cannot_create(const std::filesystem::path& folder, int number) {
  return fail(is_full(number) ? ErrorCode::kOutOfMemory : ErrorCode::kUsage,
              "{}: no file can be made there for the part of the KV cache that has no place in memory: {}; "
              "make the folder writable, choose another with XDG_CACHE_HOME, raise --memory-limit or shorten "
              "--context",
              printable(folder.string(), 400), std::strerror(number));
}

// Nothing of the range stays in the system's cache, which counts as memory where a limit is set on it.
void drop_cached(int fd, std::uint64_t offset, std::uint64_t bytes) {
  const auto begin = static_cast<off_t>(offset);
  const auto length = static_cast<off_t>(bytes);
  // What is not on the disk yet would stay.
  ::sync_file_range(fd, begin, length,
                    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
  ::posix_fadvise(fd, begin, length, POSIX_FADV_DONTNEED);
}

}  // namespace

SpillFile::Calls SpillFile::system_calls() {
  return {[](int fd, std::span<const std::byte> from, std::uint64_t offset) -> std::int64_t {
            const ssize_t done = ::pwrite(fd, from.data(), from.size(), static_cast<off_t>(offset));
            return done < 0 ? -errno : done;
          },
          [](int fd, std::span<std::byte> to, std::uint64_t offset) -> std::int64_t {
            const ssize_t done = ::pread(fd, to.data(), to.size(), static_cast<off_t>(offset));
            return done < 0 ? -errno : done;
          }};
}

Result<SpillFile> SpillFile::create(const std::filesystem::path& folder, std::uint64_t bytes,
                                    std::uint64_t unit, Calls calls) {
  if (folder.empty()) {
    return fail(ErrorCode::kUsage,
                "there is no folder for the part of the KV cache that has no place in memory: set HOME or "
                "XDG_CACHE_HOME, raise --memory-limit or shorten --context");
  }
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return cannot_create(folder, failed.value());
  SpillFile file;
  file.folder_ = folder;
  file.calls_ = std::move(calls);
  file.fd_ = open_unnamed(folder);
  if (file.fd_ < 0) return cannot_create(folder, errno);
  const auto length = narrow<off_t>(bytes);
  if (!length || ::ftruncate(file.fd_, *length) != 0) {
    return fail(ErrorCode::kOutOfMemory,
                "{}: no file there can have the {} bytes of the KV cache: {}; shorten --context or choose "
                "another folder with XDG_CACHE_HOME",
                printable(folder.string(), 400), bytes, std::strerror(length ? errno : EFBIG));
  }
  if (unit % kDirectBytes == 0) file.set_direct(true);
  return file;
}

SpillFile::~SpillFile() {
  if (fd_ >= 0) ::close(fd_);
}

bool SpillFile::set_direct(bool on) {
  const int flags = ::fcntl(fd_, F_GETFL);
  const bool set = flags >= 0 && ::fcntl(fd_, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
  if (set) direct_ = on;
  return set;
}

// Some file systems take O_DIRECT and refuse the first call, or want larger units.
bool SpillFile::not_directly(std::int64_t result) {
  return result == -EINVAL && direct_ && set_direct(false);
}

Error SpillFile::trouble(const char* what, std::uint64_t offset, int number) const {
  if (is_full(number)) {
    return fail(ErrorCode::kOutOfMemory,
                "{}: cannot {} the part of the KV cache that has no place in memory, at {} of its unnamed "
                "file: {}; make room on that disk, choose another folder with XDG_CACHE_HOME, or shorten "
                "--context",
                printable(folder_.string(), 400), what, offset, std::strerror(number));
  }
  return fail(
      ErrorCode::kGeneral,
      "{}: cannot {} the part of the KV cache that has no place in memory, at {} of its unnamed file: "
      "{}; look after that disk, or choose another folder with XDG_CACHE_HOME",
      printable(folder_.string(), 400), what, offset, std::strerror(number));
}

Status SpillFile::write(std::uint64_t offset, std::span<const std::byte> from) {
  const std::uint64_t begin = offset;
  const std::uint64_t bytes = from.size();
  int refused = 0;
  while (!from.empty()) {
    const std::int64_t wrote = calls_.write(fd_, from, offset);
    if (wrote == -EINTR || not_directly(wrote) || (wrote == -EIO && ++refused < kTries)) continue;
    if (wrote <= 0) return trouble("write", offset, wrote == 0 ? EIO : static_cast<int>(-wrote));
    from = from.subspan(static_cast<std::size_t>(wrote));
    offset += static_cast<std::uint64_t>(wrote);
  }
  if (!direct_) drop_cached(fd_, begin, bytes);
  return {};
}

Status SpillFile::read(std::uint64_t offset, std::span<std::byte> to) {
  const std::uint64_t begin = offset;
  const std::uint64_t bytes = to.size();
  int refused = 0;
  while (!to.empty()) {
    const std::int64_t got = calls_.read(fd_, to, offset);
    if (got == -EINTR || not_directly(got) || (got == -EIO && ++refused < kTries)) continue;
    if (got <= 0) return trouble("read", offset, got == 0 ? EIO : static_cast<int>(-got));
    to = to.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  if (!direct_) drop_cached(fd_, begin, bytes);
  return {};
}

std::filesystem::path SpillFile::path() const { return format("/proc/self/fd/{}", fd_); }

}  // namespace belay::memory
