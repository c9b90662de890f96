#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/memory/tile_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <thread>

namespace belay::memory {
namespace {

std::uint64_t round_up(std::uint64_t value) {
  return (value + TileFile::kAlignment - 1) / TileFile::kAlignment * TileFile::kAlignment;
}

// The first bytes of a file: as much of the description as fits, and the hash of all of it.
std::vector<std::byte> head_of(std::string_view description) {
  const Xxh3 hash = xxh3(std::as_bytes(std::span(description)));
  const std::string text = format("belay tiles {:016x}{:016x}\n{}", hash[0], hash[1], description);
  std::vector<std::byte> head(TileFile::kHeadBytes);
  std::memcpy(head.data(), text.data(), std::min<std::size_t>(text.size(), head.size()));
  return head;
}

}  // namespace

TileFile::Calls TileFile::system_calls() {
  return {[](int fd, std::uint64_t bytes) { return ::posix_fallocate(fd, 0, static_cast<off_t>(bytes)); },
          [](int fd, std::span<const std::byte> from, std::uint64_t offset) -> std::int64_t {
            const ssize_t done = ::pwrite(fd, from.data(), from.size(), static_cast<off_t>(offset));
            return done < 0 ? -errno : done;
          },
          [](int fd) { return ::fdatasync(fd) == 0 ? 0 : errno; }};
}

Error TileFile::trouble(std::string_view what, int number) const {
  const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
  return fail(full ? ErrorCode::kOutOfMemory : ErrorCode::kUsage, "{}: {}: {}",
              printable(path_.string(), 400), what, std::strerror(number));
}

Result<TileFile> TileFile::open(const std::filesystem::path& path, std::string_view description,
                                std::span<const std::uint64_t> sizes, Options options) {
  TileFile file;
  file.path_ = path;
  file.options_ = std::move(options);
  file.file_bytes_ = kHeadBytes;
  for (const std::uint64_t bytes : sizes) {
    file.parts_.push_back({file.file_bytes_, bytes});
    file.file_bytes_ += round_up(bytes);
  }
  std::error_code failed;
  std::filesystem::create_directories(path.parent_path(), failed);
  if (failed) return file.trouble("cannot make its folder", failed.value());
  BELAY_TRY(file.lock());
  BELAY_TRY(file.prepare(description));
  BELAY_TRY_ASSIGN(file.mapping_, MappedFile::open(path, ErrorCode::kUsage));
  file.hashes_ = TileHashes::of(path);
  for (Part& part : file.parts_) {
    file.hashes_.expect(part.offset, part.bytes);
    part.kept = file.hashes_.knows(part.offset, part.bytes);
  }
  return file;
}

TileFile::~TileFile() {
  if (fd_ >= 0) ::close(fd_);
}

// The file at the path, for this process alone. One that was removed while we waited is nobody's.
Status TileFile::lock() {
  do {
    if (fd_ >= 0) ::close(fd_);
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd_ < 0) return trouble("cannot open", errno);
    BELAY_TRY(wait_for_lock());
  } while (!is_at_path(fd_, path_));
  return {};
}

Status TileFile::wait_for_lock() const {
  constexpr std::chrono::milliseconds kBetweenTries{50};
  while (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return trouble("cannot lock", errno);
    if (options_.waiting) BELAY_TRY(options_.waiting());
    std::this_thread::sleep_for(kBetweenTries);
  }
  return {};
}

// A file that is another, or whose making was broken off, begins anew.
Status TileFile::prepare(std::string_view description) {
  const std::vector<std::byte> head = head_of(description);
  if (begins_with(head)) return {};
  Status made = make_room(head);
  if (!made.ok()) std::filesystem::remove(path_);  // the room that it holds helps nobody
  return made;
}

bool TileFile::begins_with(std::span<const std::byte> head) const {
  struct stat facts = {};
  if (::fstat(fd_, &facts) != 0 || static_cast<std::uint64_t>(facts.st_size) != file_bytes_) return false;
  std::vector<std::byte> there(head.size());
  return read_range(path_, 0, there).ok() && std::equal(head.begin(), head.end(), there.begin());
}

// The head comes last: with it, the file has its length.
Status TileFile::make_room(std::span<const std::byte> head) {
  std::error_code failed;
  std::filesystem::remove(TileHashes::kept_beside(path_), failed);
  if (failed) return trouble("cannot remove the hashes of an older one", failed.value());
  if (::ftruncate(fd_, 0) != 0) return trouble("cannot empty it", errno);
  int number = EINTR;
  while (number == EINTR) number = options_.calls.allocate(fd_, file_bytes_);
  if (number != 0) return trouble(format("no room for its {} bytes", file_bytes_), number);
  return write(0, head);
}

bool TileFile::check(std::size_t index) {
  Part& part = parts_[index];
  for (std::uint64_t done = 0; done < part.bytes; done += TileHashes::kTileBytes) {
    const auto tile = bytes(index).subspan(done, std::min(TileHashes::kTileBytes, part.bytes - done));
    part.kept = part.kept && hashes_.check(part.offset + done, xxh3(tile));
    forget_pages(tile);
  }
  return part.kept;
}

Status TileFile::append(std::size_t index, std::span<const std::byte> bytes) {
  Part& part = parts_[index];
  tile_.reserve(TileHashes::kTileBytes);
  while (!bytes.empty()) {
    const auto room = static_cast<std::size_t>(TileHashes::kTileBytes) - tile_.size();
    const auto next = bytes.first(std::min(room, bytes.size()));
    tile_.insert(tile_.end(), next.begin(), next.end());
    bytes = bytes.subspan(next.size());
    appended_ += next.size();
    if (tile_.size() == TileHashes::kTileBytes || appended_ == part.bytes) BELAY_TRY(write_tile(part));
  }
  if (appended_ < part.bytes) return {};
  appended_ = 0;
  part.written = true;
  return unkept_ >= options_.keep_every ? keep() : Status();
}

Status TileFile::write_tile(const Part& part) {
  const std::uint64_t offset = part.offset + appended_ - tile_.size();
  BELAY_TRY(write(offset, tile_));
  hashes_.learn(offset, xxh3(tile_));
  unkept_ += tile_.size();
  tile_.clear();
  return {};
}

Status TileFile::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  constexpr int kTries = 3;  // of what the disk refuses
  int refused = 0;
  while (!bytes.empty()) {
    const std::int64_t wrote = options_.calls.write(fd_, bytes, offset);
    if (wrote == -EINTR || (wrote == -EIO && ++refused < kTries)) continue;
    if (wrote <= 0)
      return trouble(format("cannot write at {}", offset), wrote == 0 ? EIO : static_cast<int>(-wrote));
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
    offset += static_cast<std::uint64_t>(wrote);
  }
  return {};
}

// The bytes before their hashes, and nothing of them in the system's cache, which counts as memory where a
// limit is set on it.
Status TileFile::keep() {
  int number = EINTR;
  while (number == EINTR) number = options_.calls.sync(fd_);
  if (number != 0) return trouble("cannot write to the disk", number);
  ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
  BELAY_TRY(hashes_.keep());
  for (Part& part : parts_) part.kept = part.kept || std::exchange(part.written, false);
  unkept_ = 0;
  return {};
}

void TileFile::release() {
  ::flock(fd_, LOCK_UN);
  tile_ = {};
}

void TileFile::mend(std::size_t index, std::span<const std::byte> bytes) {
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) return;
  // When that fails the damage is found again, and the part made again.
  static_cast<void>(write(parts_[index].offset, bytes));
  ::flock(fd_, LOCK_UN);
}

}  // namespace belay::memory
