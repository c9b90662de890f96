#include "core/memory/tile_file.hpp"

#include "tests/core/formats/small_disk.hpp"
#include "tests/core/formats/temporary_folder.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/long_run.hpp"

#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <random>
#include <thread>

using namespace belay;  // NOLINT(google-build-using-namespace)
using belay::memory::TileFile;
using belay::memory::TileHashes;

namespace {

using Clock = std::chrono::steady_clock;
constexpr const char* kDescription = "what a test makes\n";

// Some smaller than a block, some of many tiles.
const std::vector<std::uint64_t> kSizes = {
    100, 70'000, 4096, TileHashes::kTileBytes, 3 * TileHashes::kTileBytes + 5, 30'000, 1, 77, 200'000};

const std::vector<std::byte>& content(std::size_t part) {
  static std::vector<std::vector<std::byte>> all(kSizes.size());
  std::vector<std::byte>& bytes = all[part];
  if (!bytes.empty()) return bytes;
  bytes.resize(kSizes[part]);
  std::mt19937 random(static_cast<unsigned>(part) + 1);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

// Without waiting for the disk, which no test can tell.
TileFile::Options quick() {
  TileFile::Options options;
  options.calls.sync = [](int) { return 0; };
  return options;
}

Result<TileFile> open(const std::filesystem::path& path, TileFile::Options options = quick(),
                      const char* description = kDescription) {
  return TileFile::open(path, description, kSizes, std::move(options));
}

// In pieces of some odd size.
Status append(TileFile& file, std::size_t part) {
  const std::vector<std::byte>& all = content(part);
  constexpr std::size_t kPiece = 33'333;
  for (std::size_t done = 0; done < all.size(); done += kPiece) {
    BELAY_TRY(file.append(part, std::span(all).subspan(done, std::min(kPiece, all.size() - done))));
  }
  return {};
}

// Whatever is not there yet.
Status fill(TileFile& file) {
  for (std::size_t part = 0; part < kSizes.size(); ++part) {
    if (!file.has(part)) BELAY_TRY(append(file, part));
  }
  return file.keep();
}

Status fill(const std::filesystem::path& path, TileFile::Options options = quick()) {
  BELAY_TRY_ASSIGN(TileFile file, open(path, std::move(options)));
  return fill(file);
}

// How many parts are there; each of them has the bytes that it should.
std::size_t parts_there(TileFile& file) {
  std::size_t there = 0;
  for (std::size_t part = 0; part < kSizes.size(); ++part) {
    if (!file.has(part)) continue;
    ++there;
    CHECK(file.check(part));
    CHECK(std::ranges::equal(file.bytes(part), content(part)));
  }
  return there;
}

std::size_t parts_there(const std::filesystem::path& path) {
  auto file = open(path);
  REQUIRE_MESSAGE(file.ok(), (file.ok() ? std::string() : file.error().message));
  return parts_there(*file);
}

void flip(const std::filesystem::path& path, std::uint64_t place, int bit) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(place));
  const int byte = file.get();
  file.seekp(static_cast<std::streamoff>(place));
  file.put(static_cast<char>(byte ^ (1 << bit)));
}

// A file in a folder that does not exist yet.
class Place {
 public:
  [[nodiscard]] std::filesystem::path path() const { return folder_.path() / "a" / "b.weights"; }

 private:
  test::TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("parts are there when they were kept, in this process and in the next") {
  const Place place;
  {
    auto file = open(place.path());
    REQUIRE(file.ok());
    CHECK(parts_there(*file) == 0);
    for (const std::size_t part : {4U, 0U, 8U}) REQUIRE(append(*file, part).ok());
    CHECK(parts_there(*file) == 0);
    REQUIRE(file->keep().ok());
    CHECK(parts_there(*file) == 3);
    REQUIRE(append(*file, 1).ok());  // and not kept
  }
  auto file = open(place.path());
  REQUIRE(file.ok());
  CHECK(parts_there(*file) == 3);
  REQUIRE(fill(*file).ok());
  CHECK(parts_there(*file) == kSizes.size());
  for (std::size_t part = 0; part < kSizes.size(); ++part) {
    const auto at = file->mapping().place_of(file->bytes(part));
    REQUIRE(at.has_value());
    CHECK(at->file == place.path());
    CHECK(at->offset % TileFile::kAlignment == 0);
  }
}

TEST_CASE("what was written is kept now and then") {
  const Place place;
  TileFile::Options options;
  options.keep_every = 100'000;
  auto file = open(place.path(), options);
  REQUIRE(file.ok());
  REQUIRE(append(*file, 1).ok());
  CHECK_FALSE(file->has(1));
  REQUIRE(append(*file, 5).ok());
  CHECK(file->has(1));
  CHECK(file->has(5));
}

TEST_CASE("a file that holds something else, or is of another length, begins anew") {
  const Place place;
  REQUIRE(fill(place.path()).ok());
  CHECK(parts_there(place.path()) == kSizes.size());
  {
    auto other = open(place.path(), quick(), "another model\n");
    REQUIRE(other.ok());
    CHECK_FALSE(other->has(0));
  }
  CHECK(parts_there(place.path()) == 0);
  REQUIRE(fill(place.path()).ok());
  std::filesystem::resize_file(place.path(), TileFile::kHeadBytes + 5000);
  CHECK(parts_there(place.path()) == 0);
  REQUIRE(fill(place.path()).ok());
  CHECK(parts_there(place.path()) == kSizes.size());
}

TEST_CASE("without the hashes beside it nothing is there") {
  const Place place;
  REQUIRE(fill(place.path()).ok());
  const auto kept = TileHashes::kept_beside(place.path());
  flip(kept, 60, 3);
  CHECK(parts_there(place.path()) == 0);
  std::filesystem::remove(kept);
  CHECK(parts_there(place.path()) == 0);
}

TEST_CASE("every flipped bit of a part is found by check(), and the part can be made again") {
  const Place place;
  auto file = open(place.path());
  REQUIRE(file.ok());
  REQUIRE(fill(*file).ok());
  std::mt19937 random(3);
  for (int i = 0; i < test::times(200, 10'000); ++i) {
    const std::size_t part = random() % kSizes.size();
    const std::uint64_t offset =
        file->mapping().place_of(file->bytes(part))->offset + random() % kSizes[part];
    flip(place.path(), offset, static_cast<int>(random() % 8));
    CHECK_FALSE(file->check(part));
    CHECK_FALSE(file->has(part));
    REQUIRE(append(*file, part).ok());
    REQUIRE(file->keep().ok());
    CHECK(std::ranges::equal(file->bytes(part), content(part)));
  }
  CHECK(parts_there(*file) == kSizes.size());
}

TEST_CASE("mend() writes a damaged part, unless another process writes") {
  const Place place;
  auto file = open(place.path());
  REQUIRE(file.ok());
  REQUIRE(fill(*file).ok());
  file->release();
  const std::uint64_t offset = file->mapping().place_of(file->bytes(4))->offset;
  flip(place.path(), offset + 12, 1);
  {
    auto writer = open(place.path());
    REQUIRE(writer.ok());
    file->mend(4, content(4));
    CHECK_FALSE(std::ranges::equal(file->bytes(4), content(4)));
  }
  file->mend(4, content(4));
  CHECK(std::ranges::equal(file->bytes(4), content(4)));
}

TEST_CASE("a second process waits for the first, and may stop waiting") {
  const Place place;
  auto first = open(place.path());
  REQUIRE(first.ok());
  REQUIRE(append(*first, 3).ok());
  int asked = 0;
  TileFile::Options options;
  options.waiting = [&]() -> Status {
    if (++asked == 2) return Error{ErrorCode::kInterrupted, "enough"};
    return {};
  };
  const auto second = open(place.path(), options);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == ErrorCode::kInterrupted);
  options.waiting = [&]() -> Status {
    if (++asked == 4) {
      REQUIRE(first->keep().ok());
      first->release();
    }
    return {};
  };
  auto third = open(place.path(), options);
  REQUIRE(third.ok());
  CHECK(asked == 4);
  CHECK(parts_there(*third) == 1);
}

TEST_CASE("a file that was removed while we waited is not written to") {
  const Place place;
  auto first = open(place.path());
  REQUIRE(first.ok());
  TileFile::Options options;
  options.waiting = [&]() -> Status {
    std::filesystem::remove(place.path());
    first->release();
    return {};
  };
  auto second = open(place.path(), options);
  REQUIRE(second.ok());
  REQUIRE(fill(*second).ok());
  second->release();
  CHECK(parts_there(place.path()) == kSizes.size());
}

namespace {

// The system's calls; the one with number `fails` gives an errno when it has done a part of its work.
struct Failing {
  int fails = 0;  // 0: none
  int number = 0;
  int calls = 0;

  [[nodiscard]] TileFile::Options options() {
    TileFile::Options options;
    options.keep_every = 100'000;
    const TileFile::Calls real = options.calls;
    options.calls.allocate = [this, real](int fd, std::uint64_t bytes) {
      return ++calls == fails ? number : real.allocate(fd, bytes);
    };
    options.calls.sync = [this, real](int fd) { return ++calls == fails ? number : real.sync(fd); };
    options.calls.write = [this, real](int fd, std::span<const std::byte> from,
                                       std::uint64_t offset) -> std::int64_t {
      if (++calls != fails) return real.write(fd, from, offset);
      static_cast<void>(real.write(fd, from.first(from.size() / 2), offset));
      return -number;
    };
    return options;
  }
};

}  // namespace

TEST_CASE("each call to the system fails once, in turn: an error says so, and what is there is right") {
  Failing none;
  {
    const Place place;
    REQUIRE(fill(place.path(), none.options()).ok());
  }
  REQUIRE(none.calls >= 15);
  for (const int number : {ENOSPC, EIO, EINTR}) {
    for (int k = 1; k <= none.calls; ++k) {
      CAPTURE(k);
      CAPTURE(number);
      const Place place;
      Failing failing{k, number};
      const Status done = fill(place.path(), failing.options());
      CHECK(done.ok() == (number == EINTR));
      if (!done.ok()) {
        CHECK((done.error().code == ErrorCode::kOutOfMemory) == (number == ENOSPC));
        CHECK(done.error().message.find(place.path().string()) != std::string::npos);
        if (k <= 2) CHECK_FALSE(std::filesystem::exists(place.path()));  // it holds no room
      }
      CHECK(parts_there(place.path()) <= kSizes.size());
      REQUIRE(fill(place.path()).ok());
      CHECK(parts_there(place.path()) == kSizes.size());
    }
  }
}

TEST_CASE("writes that do a part of their work are gone on with") {
  const Place place;
  TileFile::Options options;
  const TileFile::Calls real = options.calls;
  options.calls.write = [&](int fd, std::span<const std::byte> from, std::uint64_t offset) {
    return real.write(fd, from.first((from.size() + 2) / 3), offset);
  };
  REQUIRE(fill(place.path(), options).ok());
  CHECK(parts_there(place.path()) == kSizes.size());
}

TEST_CASE("a disk without room is an error before anything is made") {
  const auto said = test::on_small_disk(1U << 20U, [](const std::filesystem::path& folder) {
    const auto file = open(folder / "weights" / "x");
    if (file.ok()) return std::string("opened");
    if (std::filesystem::exists(folder / "weights" / "x")) return std::string("left behind");
    return file.error().code == ErrorCode::kOutOfMemory ? file.error().message : std::string("another error");
  });
  if (!said) {
    MESSAGE("skipped: no small disk can be mounted here");
    return;
  }
  CHECK(said->find("no room for its") != std::string::npos);
}

namespace {

// Makes the file in a process of its own, and kills that after a while; false when it was done before.
bool killed_after(const std::filesystem::path& path, std::chrono::microseconds wait) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    TileFile::Options options;
    options.keep_every = 50'000;
    auto file = open(path, std::move(options));
    ::_exit(file.ok() && fill(*file).ok() ? 0 : 1);
  }
  std::this_thread::sleep_for(wait);
  ::kill(child, SIGKILL);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  const bool killed = WIFSIGNALED(status);
  if (!killed) CHECK(WEXITSTATUS(status) == 0);
  return killed;
}

}  // namespace

TEST_CASE("killed at any moment: what is there is right, and the next process goes on") {
  const Place place;
  const auto begin = Clock::now();
  REQUIRE(fill(place.path(), {.keep_every = 50'000}).ok());
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
  std::filesystem::remove(place.path());
  std::mt19937 random(static_cast<unsigned>(Clock::now().time_since_epoch().count()));
  int kills = 0;
  int gone_on = 0;
  for (int tries = 0; kills < test::times(20, 200) && tries < 2000; ++tries) {
    const bool killed = killed_after(
        place.path(), std::chrono::microseconds(random() % static_cast<unsigned>(whole.count() + 1)));
    const std::size_t there = parts_there(place.path());
    kills += killed ? 1 : 0;
    gone_on += killed && there > 0 ? 1 : 0;
    if (there == kSizes.size() || random() % 4 == 0) {
      REQUIRE(fill(place.path()).ok());
      CHECK(parts_there(place.path()) == kSizes.size());
      std::filesystem::remove(place.path());
    }
  }
  MESSAGE(kills << " kills, " << gone_on << " of them with parts that were there");
  CHECK(kills >= test::times(20, 200));
}
