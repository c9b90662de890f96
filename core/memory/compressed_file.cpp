#include "core/memory/compressed_file.hpp"

#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/base/mapped_file.hpp"
#include "core/base/text.hpp"
#include "core/formats/byte_reader.hpp"
#include "core/formats/byte_writer.hpp"

#include <algorithm>
#include <array>
#include <system_error>

namespace belay::memory {
namespace {

// Behind the parts the index: the description, the note, the number of parts, and of each its name, its
// offset, its number_bytes, its number of tiles, and of each tile its bytes and its hash. At the very end the
// index's length, its hash and kMagic.
constexpr std::string_view kMagic = "BELAYZ1\n";
constexpr std::uint64_t kTailBytes = sizeof(std::uint64_t) + sizeof(Xxh3) + 8;
constexpr std::uint64_t kMostIndexBytes = std::uint64_t{256} << 20U;  // tiles of some TiB
constexpr std::uint64_t kTileRecordBytes = sizeof(std::uint64_t) + sizeof(Xxh3);

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

Error broken(const std::filesystem::path& path) {
  return fail(ErrorCode::kUsage, "{} is broken", printable(path.string(), 400));
}

formats::Bytes tail_of(std::span<const std::byte> index) {
  formats::Bytes tail;
  formats::put(tail, std::uint64_t{index.size()});
  formats::put(tail, xxh3(index));
  formats::put_bytes(tail, bytes_of(kMagic));
  return tail;
}

// The index, and how many bytes of parts are before it.
struct Index {
  formats::Bytes bytes;
  std::uint64_t begin = 0;
};

Result<Index> read_index(const std::filesystem::path& path) {
  std::error_code failed;
  const std::uint64_t file_bytes = std::filesystem::file_size(path, failed);
  if (failed) return fail(ErrorCode::kUsage, "{}: {}", printable(path.string(), 400), failed.message());
  if (file_bytes < kTailBytes) return broken(path);
  formats::Bytes tail(kTailBytes);
  BELAY_TRY(read_range(path, file_bytes - kTailBytes, tail));
  const auto size = formats::load_number<std::uint64_t>(tail);
  if (size > kMostIndexBytes || size > file_bytes - kTailBytes) return broken(path);
  Index index = {formats::Bytes(size), file_bytes - kTailBytes - size};
  BELAY_TRY(read_range(path, index.begin, index.bytes));
  if (tail_of(index.bytes) != tail) return broken(path);
  return index;
}

formats::Bytes index_of(std::string_view description, std::string_view note,
                        std::span<const std::pair<std::string, CompressedPart>> parts) {
  formats::Bytes index;
  formats::put_string(index, description);
  formats::put_string(index, note);
  formats::put(index, std::uint64_t{parts.size()});
  for (const auto& [name, part] : parts) {
    formats::put_string(index, name);
    formats::put(index, part.offset);
    formats::put(index, std::uint64_t{part.number_bytes});
    formats::put(index, std::uint64_t{part.tiles.size()});
    for (const CompressedTile& tile : part.tiles) {
      formats::put(index, tile.bytes);
      formats::put(index, tile.hash);
    }
  }
  return index;
}

// Of a file whose parts end at `end`.
Result<CompressedPart> read_part(formats::ByteReader& in, std::uint64_t end) {
  CompressedPart part;
  BELAY_TRY_ASSIGN(part.offset, in.number<std::uint64_t>("the offset of a part"));
  BELAY_TRY_ASSIGN(part.number_bytes, in.number<std::uint64_t>("the bytes of a number"));
  BELAY_TRY_ASSIGN(const auto tiles, in.number<std::uint64_t>("the number of tiles"));
  if (tiles > in.left() / kTileRecordBytes) return in.error_at(in.offset(), "{} tiles are too many", tiles);
  for (std::uint64_t i = 0; i < tiles; ++i) {
    CompressedTile tile;
    tile.offset = part.bytes();
    BELAY_TRY_ASSIGN(tile.bytes, in.number<std::uint64_t>("the size of a tile"));
    BELAY_TRY_ASSIGN(tile.hash, in.hash("the hash of a tile"));
    part.tiles.push_back(tile);
    if (!(CheckedU64(part.offset) + tile.offset + tile.bytes).fits(end))
      return in.error_at(in.offset(), "a tile does not lie in the file");
  }
  if (part.offset % CompressedFile::kAlignment != 0)
    return in.error_at(in.offset(), "a part begins at {}, not at a multiple of {}", part.offset,
                       CompressedFile::kAlignment);
  return part;
}

}  // namespace

Result<CompressedFile> CompressedFile::open(const std::filesystem::path& path, std::string_view description) {
  BELAY_TRY_ASSIGN(const Index index, read_index(path));
  CompressedFile file;
  file.path_ = path;
  const std::string name = path.string();
  formats::ByteReader in(index.bytes, name);
  BELAY_TRY_ASSIGN(const auto text, in.string(kMostIndexBytes, "the description"));
  if (text != description) return fail(ErrorCode::kUsage, "{} holds other weights", printable(name, 400));
  BELAY_TRY_ASSIGN(const auto note, in.string(kMostIndexBytes, "the note"));
  file.note_ = note;
  BELAY_TRY_ASSIGN(const auto parts, in.number<std::uint64_t>("the number of parts"));
  for (std::uint64_t i = 0; i < parts; ++i) {
    BELAY_TRY_ASSIGN(const auto part_name, in.string(formats::kMaxNameBytes, "the name of a part"));
    BELAY_TRY_ASSIGN(CompressedPart part, read_part(in, index.begin));
    file.parts_.insert_or_assign(std::string(part_name), std::move(part));
  }
  return file;
}

const CompressedPart* CompressedFile::find(std::string_view name) const {
  const auto found = parts_.find(name);
  return found != parts_.end() ? &found->second : nullptr;
}

std::uint64_t CompressedFile::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [name, part] : parts_) sum += part.bytes();
  return sum;
}

Result<CompressedFileWriter> CompressedFileWriter::begin(const std::filesystem::path& path,
                                                         std::string description, std::string note) {
  std::error_code failed;
  std::filesystem::create_directories(path.parent_path(), failed);
  if (failed) {
    return fail(ErrorCode::kUsage, "{}: cannot make its folder: {}", printable(path.string(), 400),
                failed.message());
  }
  BELAY_TRY_ASSIGN(formats::Replacement file, formats::Replacement::begin_alone(path));
  return CompressedFileWriter(std::move(file), std::move(description), std::move(note));
}

Status CompressedFileWriter::begin_part(std::string name, std::size_t number_bytes) {
  static constexpr std::array<std::byte, CompressedFile::kAlignment> kNothing = {};
  const std::uint64_t over = written_ % CompressedFile::kAlignment;
  if (over > 0) BELAY_TRY(write(std::span(kNothing).first(CompressedFile::kAlignment - over)));
  parts_.emplace_back(std::move(name), CompressedPart{written_, number_bytes, {}});
  return {};
}

Status CompressedFileWriter::append(std::span<const std::byte> packed, const Xxh3& hash) {
  CompressedPart& part = parts_.back().second;
  part.tiles.push_back({part.bytes(), packed.size(), hash});
  return write(packed);
}

// Nothing of it stays in the system's cache, which counts as memory where a limit is set on it.
Status CompressedFileWriter::write(std::span<const std::byte> bytes) {
  constexpr std::uint64_t kSettleEvery = std::uint64_t{64} << 20U;
  BELAY_TRY(file_.write(bytes));
  written_ += bytes.size();
  unsettled_ += bytes.size();
  if (unsettled_ < kSettleEvery) return {};
  unsettled_ = 0;
  return file_.settle();
}

Status CompressedFileWriter::commit() {
  const formats::Bytes index = index_of(description_, note_, parts_);
  BELAY_TRY(file_.write(index));
  BELAY_TRY(file_.write(tail_of(index)));
  BELAY_TRY(file_.settle());
  return file_.commit();
}

}  // namespace belay::memory
