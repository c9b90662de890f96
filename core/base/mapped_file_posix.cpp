#include "core/base/format.hpp"
#include "core/base/mapped_file.hpp"
#include "core/base/text.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>

namespace belay {
namespace {

// A file descriptor that closes itself.
class OpenFile {
 public:
  explicit OpenFile(const std::filesystem::path& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

Error system_error(ErrorCode code, const std::filesystem::path& path, const char* what) {
  const int number = errno;
  return fail(code, "{}: {}: {}", printable(path.string(), 400), what, std::strerror(number));
}

Result<std::size_t> regular_file_size(const OpenFile& file, const std::filesystem::path& path,
                                      ErrorCode code) {
  if (file.fd() < 0) return system_error(code, path, "cannot open");
  struct stat facts = {};
  if (::fstat(file.fd(), &facts) != 0) return system_error(code, path, "cannot read its size");
  if (!S_ISREG(facts.st_mode))
    return fail(code, "{}: not a regular file; give the path of a file", printable(path.string(), 400));
  return static_cast<std::size_t>(facts.st_size);
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& path, ErrorCode error) {
  const OpenFile file(path);
  BELAY_TRY_ASSIGN(const std::size_t size, regular_file_size(file, path, error));
  MappedFile mapped;
  mapped.path_ = path;
  if (size == 0) return mapped;
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd(), 0);
  if (address == MAP_FAILED) return system_error(error, path, "cannot map");
  mapped.data_ = static_cast<const std::byte*>(address);
  mapped.size_ = size;
  return mapped;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr)
    ::munmap(const_cast<std::byte*>(data_), size_);  // munmap takes the address as it was given
}

std::optional<FilePlace> MappedFile::place_of(std::span<const std::byte> part) const {
  const std::less_equal<> not_behind;  // addresses of different mappings have an order by this alone
  if (part.empty() || !not_behind(data_, part.data()) ||
      !not_behind(part.data() + part.size(), data_ + size_))
    return std::nullopt;
  return FilePlace{path_, static_cast<std::uint64_t>(part.data() - data_)};
}

bool on_one_drive(const std::filesystem::path& a, const std::filesystem::path& b) {
  struct stat of_a = {};
  struct stat of_b = {};
  return ::stat(a.c_str(), &of_a) == 0 && ::stat(b.c_str(), &of_b) == 0 && of_a.st_dev == of_b.st_dev;
}

bool is_at_path(int fd, const std::filesystem::path& path) {
  struct stat opened = {};
  struct stat there = {};
  return ::fstat(fd, &opened) == 0 && ::stat(path.c_str(), &there) == 0 && opened.st_ino == there.st_ino &&
         opened.st_dev == there.st_dev;
}

void forget_pages(std::span<const std::byte> mapped) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<std::uintptr_t>(mapped.data()) + page - 1) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(mapped.data() + mapped.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

Status read_range(const std::filesystem::path& path, std::uint64_t offset, std::span<std::byte> to) {
  constexpr int kTries = 3;  // of what a disk refuses
  const OpenFile file(path);
  if (file.fd() < 0) return system_error(ErrorCode::kGeneral, path, "cannot open");
  std::size_t done = 0;
  int refused = 0;
  while (done < to.size()) {
    const ssize_t got =
        ::pread(file.fd(), to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && (errno == EINTR || (errno == EIO && ++refused < kTries))) continue;
    if (got <= 0) {
      return fail(ErrorCode::kGeneral, "{}: cannot read {} bytes at {}: {}", printable(path.string(), 400),
                  to.size() - done, offset + done, got < 0 ? std::strerror(errno) : "the file ends before");
    }
    done += static_cast<std::size_t>(got);
  }
  ::posix_fadvise(file.fd(), static_cast<off_t>(offset), static_cast<off_t>(to.size()), POSIX_FADV_DONTNEED);
  return {};
}

Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t max_bytes, ErrorCode error) {
  const OpenFile file(path);
  if (file.fd() < 0) return system_error(error, path, "cannot open");
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(file.fd(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(error, path, "cannot read");
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > max_bytes)
      return fail(error, "{}: larger than {} bytes, the most that is read of such a file",
                  printable(path.string(), 400), max_bytes);
  }
}

}  // namespace belay
