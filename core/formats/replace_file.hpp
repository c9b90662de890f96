// Writes a file so that a reader, a crash or a full disk never sees half of it: to a temporary file beside
// it, which takes its place in one step when it is complete. One thread at a time.
#pragma once

#include "core/base/status.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

namespace belay::formats {

// The temporary file; removed again unless it took its place. Failures name the place and are kOutOfMemory
// when the disk is full, kUsage otherwise.
class Replacement {
 public:
  // `bytes`, if not 0, is how long the file will be: a disk without room for it is an error now rather than
  // at the end.
  [[nodiscard]] static Result<Replacement> begin(const std::filesystem::path& path, std::uint64_t bytes = 0);
  // For a file that is large, and that whoever comes next makes as well: one process at a time writes it,
  // kUsage for the others, and what a process that died has left is written over.
  [[nodiscard]] static Result<Replacement> begin_alone(const std::filesystem::path& path);

  Replacement(Replacement&& other) noexcept { swap(other); }
  Replacement& operator=(Replacement&& other) noexcept {
    swap(other);
    return *this;
  }
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;
  ~Replacement();

  // Behind what is written already.
  [[nodiscard]] Status write(std::span<const std::byte> bytes);
  // Puts what is written so far on the disk, and nothing of it stays in the system's cache.
  [[nodiscard]] Status settle();
  // Puts the file on the disk and into its place, once. A write that failed must not be followed by it.
  [[nodiscard]] Status commit();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  Replacement() = default;
  void swap(Replacement& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(name_, other.name_);
    std::swap(fd_, other.fd_);
  }

  std::filesystem::path path_;
  std::string name_;  // of the temporary file; empty once it is in place
  int fd_ = -1;
};

// Writes the pieces one after another as the file at `path`. On failure `path` is as it was.
[[nodiscard]] Status replace_file(const std::filesystem::path& path,
                                  std::span<const std::span<const std::byte>> pieces);

}  // namespace belay::formats
