// A file of tiles as the tests make it: parts of known bytes, some smaller than a block, some of many tiles.
#pragma once

#include "core/memory/tile_file.hpp"
#include "tests/core/formats/temporary_folder.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <utility>
#include <vector>

namespace belay::test {

using memory::TileFile;
using memory::TileHashes;

inline constexpr const char* kDescription = "what a test makes\n";

inline const std::vector<std::uint64_t> kSizes = {
    100, 70'000, 4096, TileHashes::kTileBytes, 3 * TileHashes::kTileBytes + 5, 30'000, 1, 77, 200'000};

inline const std::vector<std::byte>& content(std::size_t part) {
  static std::vector<std::vector<std::byte>> all(kSizes.size());
  std::vector<std::byte>& bytes = all[part];
  if (!bytes.empty()) return bytes;
  bytes.resize(kSizes[part]);
  std::mt19937 random(static_cast<unsigned>(part) + 1);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

// Without waiting for the disk, which no test can tell.
inline TileFile::Options quick() {
  TileFile::Options options;
  options.calls.sync = [](int) { return 0; };
  return options;
}

inline Result<TileFile> open(const std::filesystem::path& path, TileFile::Options options = quick(),
                             const char* description = kDescription) {
  return TileFile::open(path, description, kSizes, std::move(options));
}

// In pieces of some odd size.
inline Status append(TileFile& file, std::size_t part) {
  const std::vector<std::byte>& all = content(part);
  constexpr std::size_t kPiece = 33'333;
  for (std::size_t done = 0; done < all.size(); done += kPiece) {
    BELAY_TRY(file.append(part, std::span(all).subspan(done, std::min(kPiece, all.size() - done))));
  }
  return {};
}

// Whatever is not there yet.
inline Status fill(TileFile& file) {
  for (std::size_t part = 0; part < kSizes.size(); ++part) {
    if (!file.has(part)) BELAY_TRY(append(file, part));
  }
  return file.keep();
}

inline Status fill(const std::filesystem::path& path, TileFile::Options options = quick()) {
  BELAY_TRY_ASSIGN(TileFile file, open(path, std::move(options)));
  return fill(file);
}

// How many parts are there; each of them has the bytes that it should.
inline std::size_t parts_there(TileFile& file) {
  std::size_t there = 0;
  for (std::size_t part = 0; part < kSizes.size(); ++part) {
    if (!file.has(part)) continue;
    ++there;
    CHECK(file.check(part));
    CHECK(std::ranges::equal(file.bytes(part), content(part)));
  }
  return there;
}

inline std::size_t parts_there(const std::filesystem::path& path) {
  auto file = open(path);
  REQUIRE_MESSAGE(file.ok(), (file.ok() ? std::string() : file.error().message));
  return parts_there(*file);
}

inline void flip(const std::filesystem::path& path, std::uint64_t place, int bit) {
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
  TemporaryFolder folder_;
};

}  // namespace belay::test
