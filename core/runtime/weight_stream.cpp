#include "core/runtime/weight_stream.hpp"

#include "core/base/format.hpp"
#include "core/base/log.hpp"
#include "core/base/text.hpp"
#include "core/runtime/compression.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

namespace belay::runtime {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kNoItem = std::numeric_limits<std::size_t>::max();
constexpr int kTries = 3;  // of one tile, the first reading included

std::uint64_t round_down(std::uint64_t value) { return value - value % WeightStream::kBlockBytes; }
std::uint64_t round_up(std::uint64_t value) { return round_down(value + WeightStream::kBlockBytes - 1); }

std::span<std::byte> tile_of(std::span<std::byte> content, std::size_t tile) {
  const std::uint64_t begin = tile * memory::TileHashes::kTileBytes;
  return content.subspan(begin, std::min(memory::TileHashes::kTileBytes, content.size() - begin));
}

std::size_t tiles_of(std::uint64_t bytes) {
  return (bytes + memory::TileHashes::kTileBytes - 1) / memory::TileHashes::kTileBytes;
}

}  // namespace

bool can_stream(const graph::Graph& graph, const graph::Node& node) {
  if (node.op != graph::Op::kLinear || node.layer < 0) return false;
  const graph::Home home = graph.weights[node.weights[0]].home;
  return home == graph::Home::kFile || home == graph::Home::kUnmade;
}

WeightStream::~WeightStream() {
  go_home();
  for (File& file : files_) {
    if (const Status kept = file.hashes.keep(); !kept.ok())
      log(LogLevel::kInfo, "hashes of the weights are not kept: {}", kept.error().message);
  }
}

Status WeightStream::lay_out(const StreamOptions& options) {
  go_home();
  BELAY_TRY(collect(options.first_layer));
  if (items_.empty()) return {};
  Status made = make_ring(options.ring_bytes);
  if (made.ok()) return made;
  go_home();
  if (!compressed_) return made;
  log(LogLevel::kWarn, "compressed weights are not used: {}", made.error().message);
  compressed_.reset();
  return lay_out(options);
}

// Ends all reading, and gives each weight its bytes in the file.
void WeightStream::go_home() {
  for (Item& item : items_) {
    item.read.end();
    graph::Weight& weight = graph_.weights[graph_.nodes[item.node].weights[0]];
    weight.data = item.home;
    weight.home = item.source.file == kNoFile ? graph::Home::kUnmade : graph::Home::kFile;
  }
  items_.clear();
  if (parts_.storage != nullptr && prepared_) parts_.storage->prepare({});
  prepared_ = false;
  buffer_ = {};
  unpacked_ = {};
  unpackers_.clear();
  done_ = started_ = 0;
  use_.pass_bytes = use_.stored_bytes = use_.ring_bytes = 0;
}

// The weights to stream, where they lie, and their hashes.
Status WeightStream::collect(std::size_t first_layer) {
  item_of_.assign(graph_.nodes.size(), kNoItem);
  std::size_t most_tiles = 0;
  for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
    const graph::Node& node = graph_.nodes[n];
    if (!can_stream(graph_, node) || static_cast<std::size_t>(node.layer) < first_layer) continue;
    const graph::Weight& weight = graph_.weights[node.weights[0]];
    const std::span<const std::byte> bytes = weight.data;
    Item item;
    item.node = n;
    item.home = bytes;
    item.made = parts_.file.made().find(weight.name);
    item.source.bytes = bytes.size();
    if (const auto place = parts_.file.place_of(bytes)) {
      item.source = {file_of(place->file), place->offset, bytes.size()};
      files_[item.source.file].hashes.expect(place->offset, bytes.size());
    } else if (item.made == nullptr) {
      return fail(ErrorCode::kGeneral, "{}: its weight lies in no file of the model", node.name);
    }
    item.stored = item.source;
    if (item.made == nullptr && compressed_) find_copy(item, weight);
    item.slot_bytes = round_up(item.stored.lead() + item.stored.bytes);
    item_of_[n] = items_.size();
    most_tiles = std::max(most_tiles, tiles_of(bytes.size()));
    use_.pass_bytes += bytes.size();
    use_.stored_bytes += item.stored.bytes;
    items_.push_back(std::move(item));
  }
  hashes_.resize(most_tiles);
  return {};
}

void WeightStream::find_copy(Item& item, const graph::Weight& weight) {
  const memory::CompressedPart* part = compressed_->find(part_name(weight.name, item.source.offset));
  if (part == nullptr || !take_hashes(item.source, *part)) return;
  item.packed = part;
  item.stored = {file_of(compressed_->path()), part->offset, part->bytes()};
}

// What was compressed is what must come out; false: it was another weight than this.
bool WeightStream::take_hashes(const Place& source, const memory::CompressedPart& part) {
  memory::TileHashes& hashes = files_[source.file].hashes;
  if (part.tiles.size() != tiles_of(source.bytes)) return false;
  const auto offset = [&](std::size_t tile) { return source.offset + tile * memory::TileHashes::kTileBytes; };
  for (std::size_t tile = 0; tile < part.tiles.size(); ++tile) {
    if (hashes.denies(offset(tile), part.tiles[tile].hash)) return false;
  }
  for (std::size_t tile = 0; tile < part.tiles.size(); ++tile)
    hashes.learn(offset(tile), part.tiles[tile].hash);
  return true;
}

std::size_t WeightStream::file_of(const std::filesystem::path& path) {
  const auto known =
      std::find_if(files_.begin(), files_.end(), [&](const File& file) { return file.path == path; });
  if (known != files_.end()) return static_cast<std::size_t>(known - files_.begin());
  File& file = files_.emplace_back(File{path, std::nullopt, 0, memory::TileHashes::of(path)});
  if (parts_.storage != nullptr) {
    dispatch::StorageFile::Info info;
    auto opened = parts_.storage->open(std::filesystem::absolute(path), kBlockBytes, info);
    if (opened.ok()) {
      file.storage.emplace(*std::move(opened));
      file.end = (info.file_bytes + info.block_bytes - 1) / info.block_bytes * info.block_bytes;
    } else {
      log(LogLevel::kWarn, "{} does not read {}, Belay reads it itself, not ahead: {}", parts_.storage->id(),
          printable(path.string(), 400), opened.error().message);
    }
  }
  return files_.size() - 1;
}

// What compressed weights need to be unpacked takes its bytes from the ring's.
Status WeightStream::make_room_to_unpack(std::uint64_t& ring_bytes) {
  std::uint64_t largest = 0;
  for (const Item& item : items_) largest = std::max(largest, item.packed != nullptr ? item.source.bytes : 0);
  if (largest == 0) return {};
  const std::uint64_t room = round_up(largest) + parts_.pool.threads() * memory::TileUnpacker::kMemoryBytes;
  if (room >= ring_bytes)
    return fail(ErrorCode::kOutOfMemory, "a ring of {} bytes has no room to unpack weights", ring_bytes);
  ring_bytes -= room;
  BELAY_TRY_ASSIGN(unpacked_, memory::Buffer::allocate(largest, "an unpacked weight", memory::Pages::kLarge));
  unpackers_.resize(parts_.pool.threads());
  return {};
}

Status WeightStream::make_ring(std::uint64_t bytes) {
  BELAY_TRY(make_room_to_unpack(bytes));
  std::vector<std::uint64_t> sizes;
  sizes.reserve(items_.size());
  for (const Item& item : items_) sizes.push_back(item.slot_bytes);
  auto ring = memory::lay_out_ring(sizes, bytes);
  if (!ring)
    return fail(ErrorCode::kOutOfMemory, "a ring of {} bytes is too small for the largest weight", bytes);
  ring_ = *std::move(ring);
  BELAY_TRY_ASSIGN(
      buffer_, memory::Buffer::allocate(ring_.bytes, "the ring of streamed weights", memory::Pages::kLarge));
  use_.ring_bytes = ring_.bytes;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    Item& item = items_[i];
    graph::Weight& weight = graph_.weights[graph_.nodes[item.node].weights[0]];
    item.slot = {buffer_.data() + ring_.offsets[i], item.slot_bytes};
    item.content = item.packed != nullptr ? std::span(unpacked_.data(), item.source.bytes)
                                          : item.slot.subspan(item.source.lead(), item.source.bytes);
    weight.data = item.content;
    weight.home = graph::Home::kRing;
  }
  return {};
}

// At the first read rather than before: a plugin that pins the ring makes all of it count as used, and what
// is packed before needs the memory for a while.
void WeightStream::prepare() {
  prepared_ = true;
  if (parts_.storage == nullptr) return;
  parts_.storage->prepare({buffer_.data(), buffer_.size()});
  for (const File& file : files_) {
    if (!file.storage) continue;
    if (const auto info = file.storage->info(); info.ok()) use_.method = info->method;
  }
}

// Starts what has room by now.
void WeightStream::read_ahead() {
  if (!prepared_) prepare();
  while (started_ < done_ + ring_.distances[started_ % items_.size()]) {
    start(items_[started_ % items_.size()]);
    ++started_;
  }
}

// A plugin that cannot even start leaves the item to be read when it is needed.
void WeightStream::start(Item& item) {
  if (item.stored.file == kNoFile) return;
  File& file = files_[item.stored.file];
  if (!file.storage) return;
  const std::uint64_t begin = item.stored.offset - item.stored.lead();
  const std::uint64_t bytes = std::min<std::uint64_t>(item.slot.size(), file.end - std::min(file.end, begin));
  const belay_extent_t extent = {begin, bytes, item.slot.data()};
  item.read.start(*parts_.storage, *file.storage, {&extent, 1});
}

void WeightStream::restart(std::size_t item) {
  for (Item& other : items_) other.read.end();
  done_ = started_ = item;
}

Status WeightStream::bring(std::size_t node, const Stop& stop) {
  const std::size_t index = item_of_[node];
  if (index != kNoItem && done_ % items_.size() != index) restart(index);
  read_ahead();
  if (index == kNoItem) return {};
  Item& item = items_[index];
  const auto begin = Clock::now();
  BELAY_TRY(arrive(item, stop));
  use_.wait_s += std::chrono::duration<double>(Clock::now() - begin).count();
  if (item.source.file == kNoFile) return {};
  use_.read_bytes += item.came_packed ? item.stored.bytes : item.source.bytes;
  return verify(item);
}

void WeightStream::release(std::size_t node) {
  const std::size_t index = is_streaming() ? item_of_[node] : kNoItem;
  if (index == kNoItem) return;
  items_[index].read.end();
  ++done_;
  read_ahead();
}

Status WeightStream::arrive(Item& item, const Stop& stop) {
  if (item.source.file == kNoFile) return make(item);
  item.came_packed = item.packed != nullptr;
  if (files_[item.stored.file].storage) {
    dispatch::Trouble trouble;
    BELAY_TRY(item.read.arrive(*parts_.storage, stop, trouble));
    if (!trouble) return {};
    BELAY_TRY(fell_back(*trouble, parts_.storage->id(), "core"));
  }
  // The last link of the chain: the core, which reads the weight itself when it is needed.
  item.came_packed = false;
  Status read = read_range(files_[item.source.file].path, item.source.offset, item.content);
  if (read.ok() || item.made == nullptr) return read;
  return make_after(item, {BELAY_IO, BELAY_SCOPE_OP, read.error().message});
}

Status WeightStream::make(const Item& item) {
  use_.made_bytes += item.content.size();
  return parts_.file.made().make_again(*item.made, item.content, parts_.pool);
}

// Where the file of what was made does not have it any more.
Status WeightStream::make_after(const Item& item, const dispatch::Failure& failure) {
  BELAY_TRY(fell_back(failure, "cache", "source"));
  return make(item);
}

Status WeightStream::fell_back(const dispatch::Failure& failure, std::string_view from, std::string_view to) {
  if (strict_) {
    return fail(ErrorCode::kFallbackForbidden,
                "reading weights failed on {}: {}; --strict forbids a fallback", from,
                dispatch::text(failure));
  }
  parts_.fallbacks.record("weights", from, to, failure);
  return {};
}

// Unpacks what came packed, and hashes all tiles. One that cannot be unpacked has another hash, then.
void WeightStream::take_tiles(const Item& item, std::size_t tiles) {
  struct Work {
    const Item& item;
    std::span<const std::byte> packed;
    memory::TileUnpacker* unpackers;
    Xxh3* hashes;
  } work{item, item.slot.subspan(item.stored.lead()), unpackers_.data(), hashes_.data()};
  parts_.pool.parallel_for(
      tiles, 1,
      [](void* user, std::uint64_t begin, std::uint64_t end, std::uint32_t worker) {
        const auto& todo = *static_cast<const Work*>(user);
        for (std::uint64_t i = begin; i < end; ++i) {
          const std::span<std::byte> tile = tile_of(todo.item.content, i);
          if (todo.item.came_packed) {
            const memory::CompressedPart& part = *todo.item.packed;
            static_cast<void>(todo.unpackers[worker].unpack(
                todo.packed.subspan(part.tiles[i].offset, part.tiles[i].bytes), part.number_bytes, tile));
          }
          todo.hashes[i] = xxh3(tile);
        }
      },
      &work);
}

Status WeightStream::verify(Item& item) {
  const std::size_t tiles = tiles_of(item.source.bytes);
  take_tiles(item, tiles);
  memory::TileHashes& known = files_[item.source.file].hashes;
  for (std::size_t tile = 0; tile < tiles; ++tile) {
    const std::uint64_t offset = item.source.offset + tile * memory::TileHashes::kTileBytes;
    if (!known.check(offset, hashes_[tile])) BELAY_TRY(repair(item, tile));
  }
  return {};
}

// A tile that arrived with other bytes than at its first reading is read again, past the plugin.
Status WeightStream::repair(const Item& item, std::size_t tile) {
  File& file = files_[item.source.file];
  const std::span<std::byte> bytes = tile_of(item.content, tile);
  const std::uint64_t offset = item.source.offset + tile * memory::TileHashes::kTileBytes;
  const dispatch::Failure failure = {
      BELAY_CORRUPT, BELAY_SCOPE_OP,
      format("{}: the {} bytes at {} arrived{} with other content than before", file.path.string(),
             bytes.size(), offset, item.came_packed ? ", from their compressed copy," : "")};
  if (file.storage) BELAY_TRY(fell_back(failure, parts_.storage->id(), "core"));
  for (int attempt = 1; attempt < kTries; ++attempt) {
    Status read = read_range(file.path, offset, bytes);
    if (!read.ok() && item.made == nullptr) return read;
    if (!read.ok() || !file.hashes.check(offset, xxh3(bytes))) continue;
    ++use_.repaired_tiles;
    return {};
  }
  if (item.made != nullptr) {
    ++use_.repaired_tiles;
    return make_after(item, failure);
  }
  return fail(
      ErrorCode::kBadInput,
      "{}: the {} bytes at {} are not what they were when they were first read: the file is damaged, or was "
      "replaced; fetch it again, or delete {} if you replaced it yourself",
      printable(file.path.string(), 400), bytes.size(), offset,
      printable(memory::TileHashes::kept_beside(file.path).string(), 400));
}

}  // namespace belay::runtime
