#include "core/memory/compressed_file.hpp"

#include "tests/core/formats/small_disk.hpp"
#include "tests/core/formats/temporary_folder.hpp"
#include "tests/core/memory/killed.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/long_run.hpp"

#include <fstream>
#include <iterator>
#include <random>

using namespace belay;          // NOLINT(google-build-using-namespace)
using namespace belay::memory;  // NOLINT(google-build-using-namespace)

namespace {

constexpr const char* kDescription = "what a test makes\n";

std::vector<std::byte> bytes(std::size_t count, unsigned seed) {
  std::vector<std::byte> out(count);
  std::mt19937 random(seed);
  for (std::byte& byte : out) byte = static_cast<std::byte>(random());
  return out;
}

Status write(const std::filesystem::path& path, std::size_t tile_bytes = 5000) {
  BELAY_TRY_ASSIGN(auto writer, CompressedFileWriter::begin(path, kDescription, "a note"));
  for (unsigned part = 0; part < 3; ++part) {
    BELAY_TRY(writer.begin_part("part" + std::to_string(part), part == 0 ? 1 : 2));
    for (unsigned tile = 0; tile < 4; ++tile)
      BELAY_TRY(writer.append(bytes(tile_bytes + tile, 10 * part + tile), {part, tile}));
  }
  return writer.commit();
}

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void set_content(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

}  // namespace

TEST_CASE("what was written is found, each part where a drive's block begins") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "new" / "copy.weights";
  REQUIRE(write(path).ok());
  CHECK_FALSE(std::filesystem::exists(path.string() + ".part"));
  const auto file = CompressedFile::open(path, kDescription);
  REQUIRE(file.ok());
  CHECK(file->note() == "a note");
  CHECK(file->find("part3") == nullptr);
  const std::string all = content(path);
  std::uint64_t sum = 0;
  for (unsigned part = 0; part < 3; ++part) {
    const CompressedPart* found = file->find("part" + std::to_string(part));
    REQUIRE(found != nullptr);
    CHECK(found->offset % CompressedFile::kAlignment == 0);
    CHECK(found->number_bytes == (part == 0 ? 1 : 2));
    REQUIRE(found->tiles.size() == 4);
    sum += found->bytes();
    for (unsigned tile = 0; tile < 4; ++tile) {
      CHECK(found->tiles[tile].hash == Xxh3{part, tile});
      const auto wanted = bytes(5000 + tile, 10 * part + tile);
      const std::string text(reinterpret_cast<const char*>(wanted.data()), wanted.size());
      CHECK(all.substr(found->offset + found->tiles[tile].offset, found->tiles[tile].bytes) == text);
    }
  }
  CHECK(file->bytes() == sum);
}

TEST_CASE("a file that is not there, is of other weights, is cut or has a flipped bit in its index is none") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "copy.weights";
  CHECK_FALSE(CompressedFile::open(path, kDescription).ok());
  REQUIRE(write(path).ok());
  CHECK_FALSE(CompressedFile::open(path, "another model\n").ok());
  const std::string all = content(path);
  std::uint64_t end = 0;
  {
    const auto file = CompressedFile::open(path, kDescription);
    REQUIRE(file.ok());
    end = file->find("part2")->offset + file->find("part2")->bytes();
  }
  for (std::size_t cut = end; cut < all.size(); cut += 13) {
    set_content(path, all.substr(0, cut));
    CHECK_FALSE(CompressedFile::open(path, kDescription).ok());
  }
  for (std::size_t at = end; at < all.size(); ++at) {
    std::string wrong = all;
    wrong[at] = static_cast<char>(wrong[at] ^ (1 << (at % 8)));
    set_content(path, wrong);
    CHECK_FALSE(CompressedFile::open(path, kDescription).ok());
  }
  set_content(path, all);
  CHECK(CompressedFile::open(path, kDescription).ok());
}

TEST_CASE("one process at a time writes, and what one that died has left is written over") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "copy.weights";
  set_content(path.string() + ".part", std::string(1'000'000, 'x'));
  {
    auto first = CompressedFileWriter::begin(path, kDescription, "");
    REQUIRE(first.ok());
    const Status second = write(path);
    REQUIRE_FALSE(second.ok());
    CHECK(second.error().message.find("another process writes it") != std::string::npos);
  }
  CHECK_FALSE(std::filesystem::exists(path.string() + ".part"));
  CHECK_FALSE(std::filesystem::exists(path));
  set_content(path.string() + ".part", std::string(1'000'000, 'x'));
  REQUIRE(write(path).ok());
  CHECK(CompressedFile::open(path, kDescription).ok());
  CHECK(std::filesystem::file_size(path) < 100'000);
}

TEST_CASE("on a full disk there is an error, and no file") {
  const auto said = test::on_small_disk(200'000, [](const std::filesystem::path& folder) {
    const auto path = folder / "copy.weights";
    const Status written = write(path, 50'000);
    if (written.ok()) return std::string("it was written");
    if (written.error().code != ErrorCode::kOutOfMemory) return written.error().message;
    if (std::filesystem::exists(path)) return std::string("it is there");
    return std::string(std::filesystem::exists(path.string() + ".part") ? "its part is there" : "right");
  });
  if (!said) {
    MESSAGE("skipped: this system lets nobody mount a tmpfs without being root");
    return;
  }
  CHECK(*said == "right");
}

TEST_CASE("killed at any moment: there is a whole file or none, and the next process makes it") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "copy.weights";
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  REQUIRE(write(path).ok());
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
  const std::string expected = content(path);
  std::mt19937 random(static_cast<unsigned>(begin.time_since_epoch().count()));
  int kills = 0;
  for (int tries = 0; kills < test::times(20, 200) && tries < 2000; ++tries) {
    std::filesystem::remove(path);
    const std::chrono::microseconds wait(random() % static_cast<unsigned>(whole.count() + 1));
    kills += test::killed_after(wait, [&] { return write(path).ok(); }) ? 1 : 0;
    if (std::filesystem::exists(path)) CHECK(content(path) == expected);
    REQUIRE(write(path).ok());
    CHECK(content(path) == expected);
  }
  CHECK(kills >= test::times(20, 200));
}
