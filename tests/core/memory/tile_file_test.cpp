#include "core/memory/tile_file.hpp"

#include "tests/core/memory/tile_parts.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/long_run.hpp"

#include <algorithm>
#include <random>

using namespace belay;        // NOLINT(google-build-using-namespace)
using namespace belay::test;  // NOLINT(google-build-using-namespace)

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
