// A file for bytes that have no place in memory, which nobody else sees: it has no name, is its user's alone,
// and is gone when the process ends, in whatever way. One thread at a time.
#pragma once

#include "core/base/status.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <utility>

namespace belay::memory {

class SpillFile {
 public:
  static constexpr std::uint64_t kDirectBytes = 4096;  // a multiple of every drive's logical block

  // How the system reads and writes: bytes done, or -errno. Tests put trouble in its place.
  struct Calls {
    std::function<std::int64_t(int fd, std::span<const std::byte> from, std::uint64_t offset)> write;
    std::function<std::int64_t(int fd, std::span<std::byte> to, std::uint64_t offset)> read;
  };
  [[nodiscard]] static Calls system_calls();

  // `bytes` long, all zeros, which takes no room on the disk before it is written. Where `unit`, of which all
  // offsets and sizes will be multiples, is one of kDirectBytes, what is written and read goes past the
  // system's cache, if the file system can do that; else it is dropped from there. kUsage when the folder
  // cannot be made or written.
  [[nodiscard]] static Result<SpillFile> create(const std::filesystem::path& folder, std::uint64_t bytes,
                                                std::uint64_t unit, Calls calls = system_calls());

  SpillFile(SpillFile&& other) noexcept { swap(other); }
  SpillFile& operator=(SpillFile&& other) noexcept {
    swap(other);
    return *this;
  }
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;
  ~SpillFile();

  // All of the bytes, or an error that names folder and offset: kOutOfMemory when the disk is full. What the
  // disk refuses is tried three times.
  [[nodiscard]] Status write(std::uint64_t offset, std::span<const std::byte> from);
  [[nodiscard]] Status read(std::uint64_t offset, std::span<std::byte> to);

  // For whoever opens files by path; valid in this process, as long as this object lives.
  [[nodiscard]] std::filesystem::path path() const;
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  SpillFile() = default;
  void swap(SpillFile& other) noexcept {
    std::swap(folder_, other.folder_);
    std::swap(calls_, other.calls_);
    std::swap(fd_, other.fd_);
    std::swap(direct_, other.direct_);
  }
  bool set_direct(bool on);
  [[nodiscard]] bool not_directly(std::int64_t result);
  [[nodiscard]] Error trouble(const char* what, std::uint64_t offset, int number) const;

  std::filesystem::path folder_;
  Calls calls_;
  int fd_ = -1;
  bool direct_ = false;
};

}  // namespace belay::memory
