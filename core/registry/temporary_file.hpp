// A file for a trial. It has no name any more: nothing is left behind, however the process ends.
#pragma once

#include "core/base/status.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace belay::registry {

class TemporaryFile {
 public:
  // In the system's folder for temporary files. kUsage, naming the folder, when that cannot be written to.
  [[nodiscard]] static Result<TemporaryFile> create(std::span<const std::byte> content);

  TemporaryFile(TemporaryFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  TemporaryFile& operator=(TemporaryFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile();

  // Opens the file in this process, as long as the object lives.
  [[nodiscard]] std::string path() const;

 private:
  explicit TemporaryFile(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace belay::registry
