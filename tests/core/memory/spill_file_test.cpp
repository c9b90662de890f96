#include "core/memory/spill_file.hpp"

#include "core/memory/buffer.hpp"
#include "tests/support/doctest.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <vector>

using namespace belay;  // NOLINT(google-build-using-namespace)
using belay::memory::SpillFile;

namespace {

constexpr std::uint64_t kUnit = SpillFile::kDirectBytes;

// A folder of its own, gone at the end.
class TempFolder {
 public:
  TempFolder() { std::filesystem::create_directory(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_ = "spill_file_test.folder";
};

// Whole pages, as direct access wants them.
memory::Buffer filled(std::uint64_t bytes, char with) {
  auto buffer = memory::Buffer::allocate(bytes, "a test");
  REQUIRE(buffer.ok());
  std::fill_n(buffer->data(), bytes, static_cast<std::byte>(with));
  return *std::move(buffer);
}

SpillFile create(const TempFolder& folder, std::uint64_t unit = kUnit,
                 SpillFile::Calls calls = SpillFile::system_calls()) {
  auto file = SpillFile::create(folder.path(), 16 * kUnit, unit, std::move(calls));
  REQUIRE_MESSAGE(file.ok(), (file.ok() ? std::string() : file.error().message));
  return *std::move(file);
}

void check_round_trip(SpillFile& file) {
  memory::Buffer a = filled(2 * kUnit, 'a');
  memory::Buffer b = filled(kUnit, 'b');
  REQUIRE(file.write(kUnit, {a.data(), a.size()}).ok());
  REQUIRE(file.write(8 * kUnit, {b.data(), b.size()}).ok());
  memory::Buffer all = filled(16 * kUnit, 'x');
  REQUIRE(file.read(0, {all.data(), all.size()}).ok());
  for (std::uint64_t i = 0; i < all.size(); ++i) {
    const std::uint64_t unit = i / kUnit;
    const char expected = unit == 1 || unit == 2 ? 'a' : unit == 8 ? 'b' : '\0';
    REQUIRE(all.data()[i] == static_cast<std::byte>(expected));
  }
}

}  // namespace

TEST_CASE("what is written is read again, and the rest is zeros") {
  const TempFolder folder;
  SpillFile direct = create(folder);
  check_round_trip(direct);
  SpillFile buffered = create(folder, kUnit / 2);
  check_round_trip(buffered);
}

TEST_CASE("the file has no name, is its user's alone, and can be opened by the path it gives") {
  const TempFolder folder;
  SpillFile file = create(folder);
  check_round_trip(file);
  CHECK(std::filesystem::is_empty(folder.path()));
  struct stat status {};
  REQUIRE(::stat(file.path().c_str(), &status) == 0);
  CHECK(status.st_nlink == 0);
  CHECK((status.st_mode & 0777U) == 0600U);
  CHECK(status.st_size == 16 * static_cast<off_t>(kUnit));
  std::ifstream other(file.path(), std::ios::binary);
  other.seekg(8 * static_cast<std::streamoff>(kUnit));
  CHECK(other.get() == 'b');
}

TEST_CASE("calls that do a part are continued, those that were interrupted are repeated") {
  const TempFolder folder;
  SpillFile::Calls calls = SpillFile::system_calls();
  int count = 0;
  calls.write = [&, real = calls.write](int fd, std::span<const std::byte> from, std::uint64_t offset) {
    if (++count % 3 == 0) return std::int64_t{-EINTR};
    return real(fd, from.first(std::min<std::size_t>(from.size(), 512)), offset);
  };
  calls.read = [&, real = calls.read](int fd, std::span<std::byte> to, std::uint64_t offset) {
    if (++count % 3 == 0) return std::int64_t{-EINTR};
    return real(fd, to.first(std::min<std::size_t>(to.size(), 512)), offset);
  };
  SpillFile file = create(folder, kUnit / 2, calls);
  check_round_trip(file);
}

TEST_CASE("a file system that refuses direct calls is used without them") {
  const TempFolder folder;
  SpillFile::Calls calls = SpillFile::system_calls();
  bool refused = false;
  calls.write = [&, real = calls.write](int fd, std::span<const std::byte> from, std::uint64_t offset) {
    return std::exchange(refused, true) ? real(fd, from, offset) : std::int64_t{-EINVAL};
  };
  SpillFile file = create(folder, kUnit, calls);
  memory::Buffer bytes = filled(kUnit, 'a');
  const Status written = file.write(kUnit, {bytes.data(), bytes.size()});
  // Where the file system has no direct access at all, the refusal is one like any other.
  if (written.ok()) check_round_trip(file);
}

TEST_CASE("a full disk and a broken one are errors that name the place") {
  const TempFolder folder;
  for (const int number : {ENOSPC, EDQUOT, EFBIG, EIO, 0}) {
    SpillFile::Calls calls = SpillFile::system_calls();
    calls.write = [&](int, std::span<const std::byte> from, std::uint64_t offset) {
      return offset == 3 * kUnit ? static_cast<std::int64_t>(from.size() / 2) : std::int64_t{-number};
    };
    calls.read = [&](int, std::span<std::byte>, std::uint64_t) { return std::int64_t{-number}; };
    SpillFile file = create(folder, kUnit, calls);
    memory::Buffer bytes = filled(2 * kUnit, 'a');
    const Status written = file.write(3 * kUnit, {bytes.data(), bytes.size()});
    REQUIRE_FALSE(written.ok());
    const bool full = number != EIO && number != 0;
    CHECK(written.error().code == (full ? ErrorCode::kOutOfMemory : ErrorCode::kGeneral));
    CHECK(written.error().message.find("at 16384 ") != std::string::npos);  // after what was written
    CHECK(written.error().message.find(folder.path().string()) != std::string::npos);
    CHECK_FALSE(file.read(0, {bytes.data(), bytes.size()}).ok());
  }
}

TEST_CASE("a folder that cannot be used is an error that says what to do") {
  const TempFolder folder;
  std::ofstream(folder.path() / "file") << "not a folder";
  for (const std::filesystem::path& bad :
       {folder.path() / "file", folder.path() / "file" / "below", std::filesystem::path()}) {
    const auto file = SpillFile::create(bad, kUnit, kUnit);
    REQUIRE_FALSE(file.ok());
    CHECK(file.error().code == ErrorCode::kUsage);
    CHECK(file.error().message.find("XDG_CACHE_HOME") != std::string::npos);
  }
  const auto huge = SpillFile::create(folder.path(), ~std::uint64_t{0}, kUnit);
  REQUIRE_FALSE(huge.ok());
  CHECK(huge.error().code == ErrorCode::kOutOfMemory);
  const auto made = SpillFile::create(folder.path() / "new" / "folder", kUnit, kUnit);
  CHECK(made.ok());
}
