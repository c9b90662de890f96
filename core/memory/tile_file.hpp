// A file of parts that cost a while to make and can be made again: weights as blocks of another type. A part
// is there when the hashes of all its tiles are kept beside the file (tile_hashes.hpp), which happens when
// its bytes are on the disk: so a process that dies, or a disk that fills up, leaves parts that are there and
// parts that are not, and the next process goes on with the others.
//
// One process at a time writes, the others wait for it. One thread at a time.
#pragma once

#include "core/base/mapped_file.hpp"
#include "core/base/status.hpp"
#include "core/memory/tile_hashes.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace belay::memory {

class TileFile {
 public:
  static constexpr std::uint64_t kAlignment = 4096;  // of parts: no drive's block is larger
  static constexpr std::uint64_t kHeadBytes = std::uint64_t{64} << 10U;  // what TileHashes knows a file by
  static constexpr std::uint64_t kUsualPause = std::uint64_t{64} << 20U;

  // How the system writes: bytes done or -errno; 0 or an errno. Tests put trouble in its place.
  struct Calls {
    std::function<int(int fd, std::uint64_t bytes)> allocate;
    std::function<std::int64_t(int fd, std::span<const std::byte> from, std::uint64_t offset)> write;
    std::function<int(int fd)> sync;
  };
  [[nodiscard]] static Calls system_calls();

  struct Options {
    // Called over and over while another process writes; an error of it ends the waiting.
    std::function<Status()> waiting = {};
    std::uint64_t keep_every = kUsualPause;  // bytes written: what is lost at most when the process dies
    Calls calls = system_calls();
  };

  // Opens the file at `path`, or makes it, with room for parts of these sizes, and waits until nobody else
  // writes. `description` says what it holds, as its first bytes: a file that says something else begins
  // anew. kOutOfMemory when the disk has no room for it, kUsage when it cannot be made or written.
  [[nodiscard]] static Result<TileFile> open(const std::filesystem::path& path, std::string_view description,
                                             std::span<const std::uint64_t> sizes, Options options);

  TileFile(TileFile&& other) noexcept { swap(other); }
  TileFile& operator=(TileFile&& other) noexcept {
    swap(other);
    return *this;
  }
  TileFile(const TileFile&) = delete;
  TileFile& operator=(const TileFile&) = delete;
  ~TileFile();

  [[nodiscard]] bool has(std::size_t index) const { return parts_[index].kept; }
  // Reads all of a part that is there. False: its bytes are not what was written, and it is not there any
  // more.
  [[nodiscard]] bool check(std::size_t index);

  // The next bytes of a part, in as many calls as the caller likes; parts in any order, one after another.
  // What was written becomes there with keep(), which happens now and then by itself. Errors as open(); then
  // nothing more should be written.
  [[nodiscard]] Status append(std::size_t index, std::span<const std::byte> bytes);
  [[nodiscard]] Status keep();
  // Others may write from here on, and this object only reads and mends.
  void release();

  // Writes bytes of a part that is there and was damaged, unless another process writes.
  void mend(std::size_t index, std::span<const std::byte> bytes);

  [[nodiscard]] std::span<const std::byte> bytes(std::size_t index) const {
    return mapping_.bytes().subspan(parts_[index].offset, parts_[index].bytes);
  }
  [[nodiscard]] const MappedFile& mapping() const { return mapping_; }

 private:
  struct Part {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    bool written = false;  // since keep()
    bool kept = false;
  };

  TileFile() = default;
  void swap(TileFile& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(options_, other.options_);
    std::swap(fd_, other.fd_);
    std::swap(parts_, other.parts_);
    std::swap(file_bytes_, other.file_bytes_);
    std::swap(hashes_, other.hashes_);
    std::swap(mapping_, other.mapping_);
    std::swap(tile_, other.tile_);
    std::swap(appended_, other.appended_);
    std::swap(unkept_, other.unkept_);
  }
  Status lock();
  Status wait_for_lock() const;
  Status prepare(std::string_view description);
  [[nodiscard]] bool begins_with(std::span<const std::byte> head) const;
  Status make_room(std::span<const std::byte> head);
  Status write(std::uint64_t offset, std::span<const std::byte> bytes);
  Status write_tile(const Part& part);
  [[nodiscard]] Error trouble(std::string_view what, int number) const;

  std::filesystem::path path_;
  Options options_;
  int fd_ = -1;
  std::vector<Part> parts_;
  std::uint64_t file_bytes_ = 0;
  TileHashes hashes_;
  MappedFile mapping_;
  std::vector<std::byte> tile_;  // of the part that is written, not on the disk yet
  std::uint64_t appended_ = 0;   // bytes of that part
  std::uint64_t unkept_ = 0;     // bytes written since keep()
};

}  // namespace belay::memory
