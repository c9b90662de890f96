#include "core/base/format.hpp"
#include "core/registry/temporary_file.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace belay::registry {

Result<TemporaryFile> TemporaryFile::create(std::span<const std::byte> content) {
  std::error_code none;
  std::string name = (std::filesystem::temp_directory_path(none) / "belay_XXXXXX").string();
  TemporaryFile file(::mkostemp(name.data(), O_CLOEXEC));
  if (file.fd_ < 0) {
    return fail(ErrorCode::kUsage, "no temporary file {}: {}", name, std::strerror(errno));
  }
  ::unlink(name.c_str());
  while (!content.empty()) {
    const ssize_t written = ::write(file.fd_, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(ErrorCode::kUsage, "{} cannot be written: {}", name, std::strerror(errno));
    content = content.subspan(static_cast<std::size_t>(written));
  }
  return file;
}

TemporaryFile::~TemporaryFile() {
  if (fd_ >= 0) ::close(fd_);
}

std::string TemporaryFile::path() const { return format("/proc/self/fd/{}", fd_); }

}  // namespace belay::registry
