#include "core/memory/tile_hashes.hpp"

#include "core/base/format.hpp"
#include "core/base/log.hpp"
#include "core/base/mapped_file.hpp"
#include "core/formats/byte_reader.hpp"
#include "core/formats/byte_writer.hpp"
#include "core/formats/replace_file.hpp"

#include <algorithm>
#include <cstring>
#include <system_error>

namespace belay::memory {
namespace {

// The kept file, little endian: magic, bytes of the model's file, hash of its head, then each tile's offset,
// bytes and hash, by offset; at the end the hash of all that.
constexpr std::string_view kMagic = "BELAYTL1";
constexpr std::uint64_t kHeaderBytes = 8 + sizeof(std::uint64_t) + sizeof(Xxh3);
constexpr std::uint64_t kTileRecordBytes = 2 * sizeof(std::uint64_t) + sizeof(Xxh3);
constexpr std::uint64_t kHeadBytes = std::uint64_t{64} << 10U;      // of the model's file, to know it by
constexpr std::uint64_t kMostKeptBytes = std::uint64_t{64} << 20U;  // tiles of 2 TiB

std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace

std::filesystem::path TileHashes::kept_beside(const std::filesystem::path& file) {
  std::filesystem::path kept = file;
  kept += ".belay-tiles";
  return kept;
}

TileHashes TileHashes::of(const std::filesystem::path& file) {
  TileHashes hashes;
  hashes.file_ = file;
  std::error_code failed;
  const std::uintmax_t size = std::filesystem::file_size(file, failed);
  if (failed) return hashes;  // whoever reads the file will say so
  hashes.file_bytes_ = size;
  std::vector<std::byte> head(std::min<std::uint64_t>(size, kHeadBytes));
  if (!read_range(file, 0, head).ok()) return hashes;
  hashes.head_ = xxh3(head);
  const auto kept = read_file(kept_beside(file), kMostKeptBytes);
  if (!kept.ok()) return hashes;
  if (const Status use = hashes.decode(bytes_of(*kept)); !use.ok())
    log(LogLevel::kInfo, "{}; its hashes are taken again", use.error().message);
  return hashes;
}

std::vector<std::byte> TileHashes::encode() const {
  formats::Bytes out;
  formats::put_bytes(out, bytes_of(kMagic));
  formats::put(out, file_bytes_);
  formats::put(out, head_);
  for (const Tile& tile : tiles_) {
    if (!tile.known) continue;
    formats::put(out, tile.offset);
    formats::put(out, tile.bytes);
    formats::put(out, tile.hash);
  }
  formats::put(out, xxh3(out));
  return out;
}

// Takes over what was kept; an error is why it is of no use.
Status TileHashes::decode(std::span<const std::byte> kept) {
  const std::string name = kept_beside(file_).string();
  const Error broken = fail(ErrorCode::kGeneral, "{} is broken", name);
  if (kept.size() < kHeaderBytes + sizeof(Xxh3)) return broken;
  const auto body = kept.first(kept.size() - sizeof(Xxh3));
  formats::ByteReader end(kept.last(sizeof(Xxh3)), name);
  BELAY_TRY_ASSIGN(const Xxh3 all, end.hash("the hash of it all"));
  if (all != xxh3(body)) return broken;
  formats::ByteReader in(body, name);
  BELAY_TRY_ASSIGN(const auto magic, in.bytes(kMagic.size(), "the magic number"));
  if (!std::equal(magic.begin(), magic.end(), bytes_of(kMagic).begin())) return broken;
  BELAY_TRY_ASSIGN(const auto file_bytes, in.number<std::uint64_t>("the size of the file"));
  BELAY_TRY_ASSIGN(const Xxh3 head, in.hash("the hash of the head"));
  if (file_bytes != file_bytes_ || head != head_)
    return fail(ErrorCode::kGeneral, "{} is of another file than {}", name, file_.string());
  std::vector<Tile> tiles(in.left() / kTileRecordBytes);
  for (Tile& tile : tiles) {
    BELAY_TRY_ASSIGN(tile.offset, in.number<std::uint64_t>("the offset of a tile"));
    BELAY_TRY_ASSIGN(tile.bytes, in.number<std::uint64_t>("the size of a tile"));
    BELAY_TRY_ASSIGN(tile.hash, in.hash("the hash of a tile"));
    tile.known = true;
  }
  tiles_ = std::move(tiles);
  return {};
}

void TileHashes::expect(std::uint64_t offset, std::uint64_t bytes) {
  for (std::uint64_t done = 0; done < bytes; done += kTileBytes) {
    const Tile tile = {offset + done, std::min(kTileBytes, bytes - done), {}, false};
    Tile* known = find(tile.offset);
    if (known == nullptr) {
      const auto behind = [](const Tile& a, std::uint64_t at) { return a.offset < at; };
      tiles_.insert(std::lower_bound(tiles_.begin(), tiles_.end(), tile.offset, behind), tile);
    } else if (known->bytes != tile.bytes) {
      *known = tile;  // cut otherwise before: seen anew
    }
  }
}

const TileHashes::Tile* TileHashes::find(std::uint64_t offset) const {
  const auto at =
      std::lower_bound(tiles_.begin(), tiles_.end(), offset,
                       [](const Tile& tile, std::uint64_t wanted) { return tile.offset < wanted; });
  return at != tiles_.end() && at->offset == offset ? &*at : nullptr;
}

bool TileHashes::check(std::uint64_t offset, const Xxh3& hash) {
  Tile* tile = find(offset);
  if (tile == nullptr) return false;
  if (!tile->known) {
    tile->hash = hash;
    tile->known = grew_ = true;
  }
  return tile->hash == hash;
}

bool TileHashes::denies(std::uint64_t offset, const Xxh3& hash) const {
  const Tile* tile = find(offset);
  return tile != nullptr && tile->known && tile->hash != hash;
}

bool TileHashes::knows(std::uint64_t offset, std::uint64_t bytes) const {
  for (std::uint64_t done = 0; done < bytes; done += kTileBytes) {
    const Tile* tile = find(offset + done);
    if (tile == nullptr || !tile->known) return false;
  }
  return true;
}

void TileHashes::learn(std::uint64_t offset, const Xxh3& hash) {
  Tile* tile = find(offset);
  if (tile == nullptr || (tile->known && tile->hash == hash)) return;
  tile->hash = hash;
  tile->known = grew_ = true;
}

Status TileHashes::keep() {
  if (!grew_) return {};
  const std::vector<std::byte> all = encode();
  const std::span<const std::byte> piece = all;
  BELAY_TRY(formats::replace_file(kept_beside(file_), {&piece, 1}));
  grew_ = false;
  return {};
}

}  // namespace belay::memory
