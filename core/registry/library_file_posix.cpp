#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/registry/library_file.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

namespace belay::registry {
namespace {

constexpr std::uint64_t kMaxLibraryBytes = std::uint64_t{2} << 30U;
// Never blocks on a FIFO that somebody put in place of the library.
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

Objection objection(std::string_view reason, std::string detail) {
  return {Stage::kTrust, std::string(reason), std::move(detail)};
}

int open_beneath_by_kernel(int folder, const std::string& relative) {
  struct open_how how = {};
  how.flags = static_cast<std::uint64_t>(kOpenFlags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, folder, relative.c_str(), &how, sizeof how));
}

// The same, one component at a time.
int open_beneath_by_hand(int folder, const std::filesystem::path& relative) {
  Descriptor at(::fcntl(folder, F_DUPFD_CLOEXEC, 0));
  for (auto part = relative.begin(); part != relative.end(); ++part) {
    const bool last = std::next(part) == relative.end();
    at.reset(::openat(at.get(), part->c_str(), last ? kOpenFlags : kOpenFlags | O_DIRECTORY));
    if (at.get() < 0) return -1;
  }
  return at.release();
}

int open_beneath(int folder, const std::string& relative, const TrustPolicy& policy) {
  if (policy.use_openat2) {
    const int fd = open_beneath_by_kernel(folder, relative);
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return fd;  // a seccomp filter says EPERM
  }
  return open_beneath_by_hand(folder, relative);
}

// A manifest's reader refuses these, too; this is the place where it matters.
bool stays_inside(const std::filesystem::path& relative) {
  if (relative.empty() || relative.is_absolute()) return false;
  for (const auto& part : relative) {
    if (part == ".." || part == "." || part.empty()) return false;
  }
  return relative.native().find('\0') == std::string::npos;
}

Objection open_failure(const std::filesystem::path& path, int number) {
  switch (number) {
    case ENOENT:
      return objection(reason::kNoLibrary,
                       format("{} does not exist; build or install the plugin again", path.string()));
    case ELOOP:
    case EXDEV:
      return objection(reason::kUntrusted,
                       format("{} is, or lies behind, a symbolic link; name the file itself in the "
                              "manifest",
                              path.string()));
    case ENOTDIR:  // also a link where a folder should be
      return objection(reason::kUntrusted, format("{}: a part of the path is not a folder", path.string()));
    default:
      return objection(reason::kUntrusted,
                       format("{} cannot be opened: {}", path.string(), std::strerror(number)));
  }
}

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

FileIdentity identity_of(const struct stat& facts) {
  return {facts.st_dev, facts.st_ino, static_cast<std::uint64_t>(facts.st_size), nanoseconds(facts.st_mtim),
          nanoseconds(facts.st_ctim)};
}

std::optional<Objection> distrust_open_file(const std::filesystem::path& path, const struct stat& facts,
                                            const TrustPolicy& policy) {
  if (!S_ISREG(facts.st_mode)) {
    return objection(reason::kUntrusted, format("{} is not a regular file", path.string()));
  }
  return distrust_owner(path, facts.st_uid, facts.st_mode, policy);
}

// The folders between `folder` and the library; `folder` itself was checked by the caller's catalog.
std::optional<Objection> distrust_between(const std::filesystem::path& folder,
                                          const std::filesystem::path& relative, const TrustPolicy& policy) {
  for (auto between = relative.parent_path(); !between.empty(); between = between.parent_path()) {
    if (auto found = distrust_folder(folder / between, policy)) return found;
  }
  return std::nullopt;
}

}  // namespace

LibraryFile::~LibraryFile() {
  if (fd_ >= 0) ::close(fd_);
}

Checked<LibraryFile> LibraryFile::open(const std::filesystem::path& folder, const std::string& relative,
                                       const TrustPolicy& policy) {
  const std::filesystem::path inside(relative);
  if (!folder.is_absolute() || !stays_inside(inside)) {
    return objection(
        reason::kUntrusted,
        format("the library \"{}\" must be named relative to its manifest and stay in that folder",
               printable(relative)));
  }
  LibraryFile file;
  file.path_ = folder / inside;
  const Descriptor at(::open(folder.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  if (at.get() < 0) return open_failure(folder, errno);
  file.fd_ = open_beneath(at.get(), relative, policy);
  if (file.fd_ < 0) return open_failure(file.path_, errno);
  struct stat facts = {};
  if (::fstat(file.fd_, &facts) != 0) return open_failure(file.path_, errno);
  if (auto found = distrust_open_file(file.path_, facts, policy)) return *std::move(found);
  if (auto found = distrust_between(folder, inside, policy)) return *std::move(found);
  file.identity_ = identity_of(facts);
  return file;
}

bool LibraryFile::unchanged() const {
  struct stat facts = {};
  return ::fstat(fd_, &facts) == 0 && identity_of(facts) == identity_;
}

Checked<std::vector<std::byte>> LibraryFile::read() const {
  if (identity_.size > kMaxLibraryBytes) {
    return objection(reason::kBadElf, format("{} is larger than 2 GiB", path_.string()));
  }
  std::vector<std::byte> bytes(identity_.size);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::pread(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return open_failure(path_, errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  if (done < bytes.size() || !unchanged()) {
    return objection(reason::kHash,
                     format("{} changed while it was being checked; start again", path_.string()));
  }
  return bytes;
}

std::string LibraryFile::loader_name(bool needs_origin) const {
  std::string by_descriptor = format("/proc/self/fd/{}", fd_);
  if (!needs_origin && ::access(by_descriptor.c_str(), F_OK) == 0) return by_descriptor;
  struct stat facts = {};
  if (::stat(path_.c_str(), &facts) != 0 || !(identity_of(facts) == identity_)) return {};
  return path_.string();
}

}  // namespace belay::registry
