// What the tiles of a model's file hashed to when they were first read, so that a bit that flips later is
// found: on the disk, on the way, or in memory. Kept in a file beside the model from run to run. One thread
// at a time.
#pragma once

#include "core/base/status.hpp"
#include "core/base/xxh3.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <utility>
#include <vector>

namespace belay::memory {

class TileHashes {
 public:
  static constexpr std::uint64_t kTileBytes = std::uint64_t{1} << 20U;

  // With what is kept for this file, if it is still about the same one: size and first bytes are equal. A
  // kept file that is broken is as good as none.
  [[nodiscard]] static TileHashes of(const std::filesystem::path& file);

  // Tiles that will be asked about: a range of the file, cut from its start. No allocation after this.
  void expect(std::uint64_t offset, std::uint64_t bytes);

  // Whether this is what the tile at `offset` was before. True, too, for one that was never seen: then it is
  // remembered. The tile must be expected.
  [[nodiscard]] bool check(std::uint64_t offset, const Xxh3& hash);

  // Whether the tile at `offset` is known to be another.
  [[nodiscard]] bool denies(std::uint64_t offset, const Xxh3& hash) const;

  // For who wrote the tiles rather than read them: whether all of an expected range are known, and what the
  // tile at `offset` is from here on.
  [[nodiscard]] bool knows(std::uint64_t offset, std::uint64_t bytes) const;
  void learn(std::uint64_t offset, const Xxh3& hash);

  // Writes what is new, in one step. A model's folder may be read-only: the hashes then last as long as this
  // object.
  [[nodiscard]] Status keep();

  // "FILE.belay-tiles"
  [[nodiscard]] static std::filesystem::path kept_beside(const std::filesystem::path& file);

 private:
  struct Tile {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    Xxh3 hash = {};
    bool known = false;
  };

  [[nodiscard]] std::vector<std::byte> encode() const;
  [[nodiscard]] Status decode(std::span<const std::byte> kept);
  [[nodiscard]] const Tile* find(std::uint64_t offset) const;
  [[nodiscard]] Tile* find(std::uint64_t offset) {
    return const_cast<Tile*>(std::as_const(*this).find(offset));  // of this object, which is not const
  }

  std::filesystem::path file_;
  std::uint64_t file_bytes_ = 0;
  Xxh3 head_ = {};           // of the file's first bytes
  std::vector<Tile> tiles_;  // by offset
  bool grew_ = false;
};

}  // namespace belay::memory
