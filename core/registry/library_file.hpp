// A plugin's library as an open file: opened once under its trusted folder, then looked at, hashed and loaded
// through that same descriptor, so that nobody can swap it in between. Owns the descriptor; movable.
#pragma once

#include "core/registry/trust.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace belay::registry {

// What tells one state of one file from any other, as far as the kernel knows.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;

  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
  [[nodiscard]] bool same_file(const FileIdentity& other) const {
    return device == other.device && inode == other.inode;
  }
};

class LibraryFile {
 public:
  // Opens `relative` beneath the canonical `folder` without following a symbolic link or leaving it.
  // Objections: NO_LIBRARY when it is not there, UNTRUSTED for links, owners, modes and anything that is not
  // a regular file.
  [[nodiscard]] static Checked<LibraryFile> open(const std::filesystem::path& folder,
                                                 const std::string& relative, const TrustPolicy& policy);

  LibraryFile(LibraryFile&& other) noexcept { swap(other); }
  LibraryFile& operator=(LibraryFile&& other) noexcept {
    swap(other);
    return *this;
  }
  LibraryFile(const LibraryFile&) = delete;
  LibraryFile& operator=(const LibraryFile&) = delete;
  ~LibraryFile();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  // As it was when the file was opened.
  [[nodiscard]] const FileIdentity& identity() const { return identity_; }
  // Whether the open file is still as it was then.
  [[nodiscard]] bool unchanged() const;
  // The whole content. A file that changes while it is read is an objection (HASH).
  [[nodiscard]] Checked<std::vector<std::byte>> read() const;
  // The name under which the dynamic loader opens exactly this file: /proc/self/fd/N. With `needs_origin` (a
  // RUNPATH of $ORIGIN), or without /proc, it is the path, given only while the path still names this very
  // file. Empty otherwise.
  [[nodiscard]] std::string loader_name(bool needs_origin) const;

 private:
  LibraryFile() = default;
  void swap(LibraryFile& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(path_, other.path_);
    std::swap(identity_, other.identity_);
  }

  int fd_ = -1;
  std::filesystem::path path_;
  FileIdentity identity_;
};

}  // namespace belay::registry
