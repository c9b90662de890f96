// A whole file, mapped read-only. Owns the mapping; movable. The bytes may be read from any thread while the
// object lives.
#pragma once

#include "core/base/status.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

namespace belay {

// Where bytes lie on a disk.
struct FilePlace {
  std::filesystem::path file;
  std::uint64_t offset = 0;
};

class MappedFile {
 public:
  // Maps a regular file (an empty one gives an empty span). `error` decides the class of the failure.
  [[nodiscard]] static Result<MappedFile> open(const std::filesystem::path& path,
                                               ErrorCode error = ErrorCode::kBadInput);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept { swap(other); }
  MappedFile& operator=(MappedFile&& other) noexcept {
    swap(other);
    return *this;
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  // Of bytes of this mapping; nothing for any others.
  [[nodiscard]] std::optional<FilePlace> place_of(std::span<const std::byte> part) const;

 private:
  void swap(MappedFile& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(path_, other.path_);
  }

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::filesystem::path path_;
};

// Whether what is written beside `a` lies on the drive of `b`; both exist.
[[nodiscard]] bool on_one_drive(const std::filesystem::path& a, const std::filesystem::path& b);

// Whether the open file `fd` is the one at `path`: not when that was renamed or removed since.
[[nodiscard]] bool is_at_path(int fd, const std::filesystem::path& path);

// Gives back the memory of the whole pages in a range of a mapped file, which are read from the file again
// when they are needed: for bytes that were read once and are not needed soon. Any other memory loses its
// bytes, and is 0 when it is read.
void forget_pages(std::span<const std::byte> mapped);

// Fills `to` with the bytes of a file from `offset` on, and leaves nothing of them in the system's cache. For
// what must not depend on a mapping, which faults when its file gets shorter. What the disk refuses is tried
// three times; then, or when the file ends before, kGeneral, naming file and offset.
[[nodiscard]] Status read_range(const std::filesystem::path& path, std::uint64_t offset,
                                std::span<std::byte> to);

// The whole of a small file as text; more than `max_bytes` is an error.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t max_bytes,
                                            ErrorCode error = ErrorCode::kUsage);

}  // namespace belay
