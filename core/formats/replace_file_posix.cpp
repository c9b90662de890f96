#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/base/mapped_file.hpp"
#include "core/base/text.hpp"
#include "core/formats/replace_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace belay::formats {
namespace {

Error system_error(const std::filesystem::path& path, std::string_view what) {
  const int number = errno;
  const bool full = number == ENOSPC || number == EDQUOT;
  return fail(full ? ErrorCode::kOutOfMemory : ErrorCode::kUsage, "{}: {}: {}", printable(path.string(), 400),
              what, std::strerror(number));
}

// Sets the room aside, and the file's length.
Status make_room(int fd, const std::filesystem::path& path, std::uint64_t bytes) {
  const auto length = narrow<off_t>(bytes);
  if (!length)
    return fail(ErrorCode::kOutOfMemory, "{}: no file has {} bytes", printable(path.string(), 400), bytes);
  do {
    errno = ::posix_fallocate(fd, 0, *length);
  } while (errno == EINTR);
  return errno == 0 ? Status() : system_error(path, format("no room for its {} bytes", bytes));
}

}  // namespace

Result<Replacement> Replacement::begin(const std::filesystem::path& path, std::uint64_t bytes) {
  Replacement file;
  file.path_ = path;
  // A crashed run may have left its file behind, and a process may write the same path twice at once.
  for (int attempt = 0; attempt < 100 && file.fd_ < 0; ++attempt) {
    file.name_ = format("{}.part-{}-{}", path.string(), ::getpid(), attempt);
    file.fd_ = ::open(file.name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file.fd_ < 0 && errno != EEXIST) break;
  }
  if (file.fd_ < 0) return system_error(path, "cannot create a file beside it");
  if (bytes > 0) BELAY_TRY(make_room(file.fd_, path, bytes));
  return file;
}

Result<Replacement> Replacement::begin_alone(const std::filesystem::path& path) {
  Replacement file;
  file.path_ = path;
  const std::string name = path.string() + ".part";
  do {
    if (file.fd_ >= 0) ::close(file.fd_);
    file.fd_ = ::open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (file.fd_ < 0) return system_error(path, "cannot create a file beside it");
    if (::flock(file.fd_, LOCK_EX | LOCK_NB) != 0)
      return fail(ErrorCode::kUsage, "{}: another process writes it", printable(path.string(), 400));
  } while (!is_at_path(file.fd_, name));  // the other process was done just now
  file.name_ = name;
  if (::ftruncate(file.fd_, 0) != 0) return system_error(path, "cannot empty the file beside it");
  return file;
}

Replacement::~Replacement() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (!name_.empty()) ::unlink(name_.c_str());
}

Status Replacement::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd_, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return system_error(path_, "cannot write");
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
  return {};
}

Status Replacement::settle() {
  if (::fdatasync(fd_) != 0) return system_error(path_, "cannot write to the disk");
  ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
  return {};
}

Status Replacement::commit() {
  if (::fsync(fd_) != 0) return system_error(path_, "cannot write to the disk");
  if (std::rename(name_.c_str(), path_.c_str()) != 0)
    return system_error(path_, "cannot rename the finished file");
  name_.clear();
  return {};
}

Status replace_file(const std::filesystem::path& path, std::span<const std::span<const std::byte>> pieces) {
  BELAY_TRY_ASSIGN(Replacement file, Replacement::begin(path));
  for (const auto& piece : pieces) BELAY_TRY(file.write(piece));
  return file.commit();
}

}  // namespace belay::formats
