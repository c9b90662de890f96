// A file of tiles while the system refuses, the disk is full, or the process is killed: what is there is
// right.
#include "core/memory/tile_file.hpp"
#include "tests/core/formats/small_disk.hpp"
#include "tests/core/memory/killed.hpp"
#include "tests/core/memory/tile_parts.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/long_run.hpp"

#include <cerrno>
#include <chrono>
#include <random>

using namespace belay;        // NOLINT(google-build-using-namespace)
using namespace belay::test;  // NOLINT(google-build-using-namespace)

namespace {

// The system's calls; from the one with number `fails` on they give an errno when they have done a part of
// their work, EINTR only once.
struct Failing {
  int fails = 0;  // 0: none
  int number = 0;
  int calls = 0;

  [[nodiscard]] bool fails_now() {
    ++calls;
    return number == EINTR ? calls == fails : fails > 0 && calls >= fails;
  }
  [[nodiscard]] TileFile::Options options() {
    TileFile::Options options;
    options.keep_every = 100'000;
    const TileFile::Calls real = options.calls;
    options.calls.allocate = [this, real](int fd, std::uint64_t bytes) {
      return fails_now() ? number : real.allocate(fd, bytes);
    };
    options.calls.sync = [this, real](int fd) { return fails_now() ? number : real.sync(fd); };
    options.calls.write = [this, real](int fd, std::span<const std::byte> from,
                                       std::uint64_t offset) -> std::int64_t {
      if (!fails_now()) return real.write(fd, from, offset);
      static_cast<void>(real.write(fd, from.first(from.size() / 2), offset));
      return -number;
    };
    return options;
  }
};

}  // namespace

TEST_CASE("calls to the system fail from any of them on: an error says so, and what is there is right") {
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

TEST_CASE("killed at any moment: what is there is right, and the next process goes on") {
  const Place place;
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  REQUIRE(fill(place.path(), {.keep_every = 50'000}).ok());
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
  std::filesystem::remove(place.path());
  std::mt19937 random(static_cast<unsigned>(Clock::now().time_since_epoch().count()));
  int kills = 0;
  int gone_on = 0;
  for (int tries = 0; kills < test::times(20, 200) && tries < 2000; ++tries) {
    const std::chrono::microseconds wait(random() % static_cast<unsigned>(whole.count() + 1));
    const bool killed = killed_after(wait, [&] {
      TileFile::Options options;
      options.keep_every = 50'000;
      auto file = open(place.path(), std::move(options));
      return file.ok() && fill(*file).ok();
    });
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
