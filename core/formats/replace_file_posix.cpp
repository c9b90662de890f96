#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/formats/replace_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace belay::formats {
namespace {

Error system_error(const std::filesystem::path& path, std::string_view what) {
  const int number = errno;
  const bool full = number == ENOSPC || number == EDQUOT;
  return fail(full ? ErrorCode::kOutOfMemory : ErrorCode::kUsage, "{}: {}: {}", printable(path.string(), 400),
              what, std::strerror(number));
}

// A new file beside `path`, removed again unless it is renamed to `path`.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& path) {
    // A crashed run may have left its file behind, and a process may write the same path twice at once.
    for (int attempt = 0; attempt < 100 && fd_ < 0; ++attempt) {
      name_ = format("{}.part-{}-{}", path.string(), ::getpid(), attempt);
      fd_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (fd_ < 0 && errno != EEXIST) return;
    }
  }
  ~TemporaryFile() {
    if (fd_ < 0) return;
    ::close(fd_);
    if (!renamed_) ::unlink(name_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

  [[nodiscard]] bool write(std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const ssize_t wrote = ::write(fd_, bytes.data(), bytes.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(wrote));
    }
    return true;
  }

  [[nodiscard]] bool sync() const { return ::fsync(fd_) == 0; }

  [[nodiscard]] bool rename_to(const std::filesystem::path& path) {
    renamed_ = std::rename(name_.c_str(), path.c_str()) == 0;
    return renamed_;
  }

 private:
  std::string name_;
  int fd_ = -1;
  bool renamed_ = false;
};

}  // namespace

Status replace_file(const std::filesystem::path& path, std::span<const std::span<const std::byte>> pieces) {
  TemporaryFile file(path);
  if (!file.is_open()) return system_error(path, "cannot create a file beside it");
  for (const auto& piece : pieces) {
    if (!file.write(piece)) return system_error(path, "cannot write");
  }
  if (!file.sync()) return system_error(path, "cannot write to the disk");
  if (!file.rename_to(path)) return system_error(path, "cannot rename the finished file");
  return {};
}

}  // namespace belay::formats
