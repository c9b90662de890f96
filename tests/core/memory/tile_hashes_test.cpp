#include "core/memory/tile_hashes.hpp"

#include "core/base/mapped_file.hpp"
#include "tests/support/doctest.hpp"

#include <fstream>
#include <random>

using namespace belay;  // NOLINT(google-build-using-namespace)
using belay::memory::TileHashes;

namespace {

constexpr std::uint64_t kTile = TileHashes::kTileBytes;

// A model's file of some tiles, and what is kept beside it; gone at the end.
class TempModel {
 public:
  TempModel() { write(std::string(3 * kTile, 'm')); }
  TempModel(const TempModel&) = delete;
  TempModel& operator=(const TempModel&) = delete;
  ~TempModel() {
    std::filesystem::remove(path());
    std::filesystem::remove(kept());
  }

  void write(const std::string& bytes) const { std::ofstream(path(), std::ios::binary) << bytes; }
  [[nodiscard]] std::filesystem::path path() const { return "tile_hashes_test.model"; }
  [[nodiscard]] std::filesystem::path kept() const { return TileHashes::kept_beside(path()); }

  // Hashes of the first two tiles, kept.
  void keep() const {
    TileHashes hashes = TileHashes::of(path());
    hashes.expect(0, 2 * kTile);
    REQUIRE(hashes.check(0, {1, 2}));
    REQUIRE(hashes.check(kTile, {3, 4}));
    REQUIRE(hashes.keep().ok());
  }

  // Whether a wrong hash of the first tile would be found now.
  [[nodiscard]] bool is_known() const {
    TileHashes hashes = TileHashes::of(path());
    hashes.expect(0, 2 * kTile);
    return !hashes.check(0, {7, 7});
  }
};

}  // namespace

TEST_CASE("a tile is remembered at its first reading and must stay what it was") {
  const TempModel model;
  TileHashes hashes = TileHashes::of(model.path());
  hashes.expect(100, kTile + 5);
  CHECK(hashes.check(100, {1, 2}));
  CHECK(hashes.check(100, {1, 2}));
  CHECK_FALSE(hashes.check(100, {1, 3}));
  CHECK(hashes.check(100 + kTile, {9, 9}));
  CHECK_FALSE(hashes.check(101, {1, 2}));  // no tile begins there
}

TEST_CASE("hashes are kept beside the model for the next run") {
  const TempModel model;
  CHECK_FALSE(std::filesystem::exists(model.kept()));
  model.keep();
  CHECK(std::filesystem::exists(model.kept()));
  CHECK(model.is_known());
}

TEST_CASE("what is kept of another file, or was cut otherwise, is taken again") {
  const TempModel model;
  model.keep();
  SUBCASE("another size") { model.write(std::string(2 * kTile, 'm')); }
  SUBCASE("another head") { model.write("M" + std::string(3 * kTile - 1, 'm')); }
  CHECK_FALSE(model.is_known());
}

TEST_CASE("a change behind the head does not make it another file") {
  const TempModel model;
  model.keep();
  std::string bytes(3 * kTile, 'm');
  bytes[2 * kTile] = 'x';
  model.write(bytes);
  CHECK(model.is_known());
}

TEST_CASE("a kept file that is cut short or has a flipped bit is as good as none") {
  const TempModel model;
  model.keep();
  const auto kept = read_file(model.kept(), 1 << 20);
  REQUIRE(kept.ok());
  for (std::size_t length = 0; length < kept->size(); ++length) {
    std::ofstream(model.kept(), std::ios::binary) << kept->substr(0, length);
    REQUIRE_FALSE(model.is_known());
  }
  for (std::size_t bit = 0; bit < 8 * kept->size(); ++bit) {
    std::string damaged = *kept;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    std::ofstream(model.kept(), std::ios::binary) << damaged;
    REQUIRE_FALSE(model.is_known());
  }
}

TEST_CASE(
    "a file that is not there has no hashes, and a folder that cannot be written is an error of keep()") {
  TileHashes hashes = TileHashes::of("/nowhere/at/all");
  hashes.expect(0, 10);
  CHECK(hashes.check(0, {1, 1}));
  CHECK_FALSE(hashes.keep().ok());
}
