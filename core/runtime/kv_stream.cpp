#include "core/runtime/kv_stream.hpp"

#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/base/log.hpp"
#include "core/base/text.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>

namespace belay::runtime {
namespace {

constexpr int kTries = 3;                 // of one block, the first reading included
constexpr std::uint64_t kHashGrain = 32;  // blocks: some tens of microseconds, worth a thread
constexpr std::uint64_t kStripBytes =
    4096;  // the largest blocks that disks are read in; a strip is a multiple

// Adds the time of a scope to a figure.
class Waiting {
 public:
  explicit Waiting(double& total) : total_(total) {}
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() { total_ += std::chrono::duration<double>(Clock::now() - begin_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  double& total_;
  Clock::time_point begin_ = Clock::now();
};

memory::KvCacheShape with(memory::KvCacheShape shape, std::uint32_t layers, std::uint64_t positions) {
  shape.layers = layers;
  shape.positions = positions;
  return shape;
}

// With blocks more, so that every strip begins at a whole block of the disk: those of 8 bits have odd sizes.
// Nothing on overflow, or where a head is not whole blocks of the type.
std::optional<memory::KvCacheShape> padded(memory::KvCacheShape shape) {
  const auto row = row_bytes(shape.dtype, shape.head_dim);
  if (!row || *row == 0) return std::nullopt;
  const std::uint64_t step = kStripBytes / std::gcd(kStripBytes, *row * BELAY_KV_BLOCK) * BELAY_KV_BLOCK;
  const auto positions = CheckedU64(shape.positions).align_up(step).value();
  if (!positions) return std::nullopt;
  shape.positions = *positions;
  return shape;
}

}  // namespace

std::optional<std::uint64_t> KvStream::memory_bytes(const memory::KvCacheShape& content) {
  const auto whole = padded(content);
  if (!whole) return std::nullopt;
  const memory::KvCacheShape& shape = *whole;
  const auto slots = memory::kv_cache_bytes(with(shape, kSlots, shape.positions));
  const auto tails = memory::kv_cache_bytes(with(shape, shape.layers, BELAY_KV_BLOCK));
  if (!slots || !tails) return std::nullopt;
  const CheckedU64 hashes = CheckedU64(shape.layers + std::uint64_t{1}) * 2 * shape.kv_heads *
                            (shape.positions / BELAY_KV_BLOCK + 1) * sizeof(Xxh3);
  return (CheckedU64(*slots) + *tails + hashes).value();
}

KvStream::KvStream(const memory::KvCacheShape& shape, const Parts& parts, memory::SpillFile file)
    : parts_(parts),
      layers_(shape.layers),
      strips_(std::uint64_t{2} * shape.kv_heads),
      row_bytes_(row_bytes(shape.dtype, shape.head_dim).value_or(0)),
      block_bytes_(row_bytes_ * BELAY_KV_BLOCK),
      ends_(shape.layers),
      file_(std::move(file)) {}

Result<std::unique_ptr<KvStream>> KvStream::create(const graph::Graph& graph,
                                                   const memory::KvCacheShape& content, const Parts& parts) {
  const auto whole = padded(content);
  const auto bytes = whole ? memory::kv_cache_bytes(*whole) : std::nullopt;
  if (!bytes)
    return fail(ErrorCode::kOutOfMemory, "a KV cache of {} positions is larger than a disk can be",
                content.positions);
  const memory::KvCacheShape& shape = *whole;
  const std::uint64_t block = *row_bytes(shape.dtype, shape.head_dim) * BELAY_KV_BLOCK;
  BELAY_TRY_ASSIGN(memory::SpillFile file,
                   memory::SpillFile::create(parts.folder, *bytes, block, parts.calls));
  std::unique_ptr<KvStream> stream(new KvStream(shape, parts, std::move(file)));
  BELAY_TRY_ASSIGN(stream->slot_memory_, memory::KvCache::create(with(shape, kSlots, shape.positions)));
  BELAY_TRY_ASSIGN(stream->tail_memory_, memory::KvCache::create(with(shape, shape.layers, BELAY_KV_BLOCK)));
  stream->blocks_ = stream->slot_memory_.capacity() / BELAY_KV_BLOCK;
  stream->capacity_ = (content.positions + BELAY_KV_BLOCK - 1) / BELAY_KV_BLOCK * BELAY_KV_BLOCK;
  stream->hashes_.resize(stream->layers_ * stream->strips_ * stream->blocks_);
  stream->seen_.resize(stream->strips_ * stream->blocks_);
  stream->extents_.resize(stream->strips_);
  stream->find_touches(graph);
  stream->open_for_plugin();
  return stream;
}

void KvStream::find_touches(const graph::Graph& graph) {
  touches_.resize(graph.nodes.size());
  std::vector<std::size_t> last(layers_, graph.nodes.size());
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const auto touch = [&](graph::ValueId id) {
      if (!graph::is_cache(graph.values[id])) return;
      const auto layer = static_cast<std::uint32_t>(graph.values[id].layer);
      if (last[layer] == graph.nodes.size()) touches_[n].begins = layer;
      last[layer] = n;
    };
    for (const graph::ValueId id : graph.nodes[n].inputs) touch(id);
    for (const graph::ValueId id : graph.nodes[n].outputs) touch(id);
  }
  for (std::uint32_t layer = 0; layer < layers_; ++layer) {
    if (last[layer] < graph.nodes.size()) touches_[last[layer]].ends = layer;
  }
}

void KvStream::open_for_plugin() {
  if (parts_.storage == nullptr) return;
  dispatch::StorageFile::Info info;
  auto opened = parts_.storage->open(file_.path(), blocks_ * block_bytes_, info);
  if (opened.ok()) {
    use_.method = info.method;
    disk_block_bytes_ = info.block_bytes;
    plugin_file_.emplace(*std::move(opened));
    return;
  }
  log(LogLevel::kWarn, "{} does not read the spilled KV cache, Belay reads it itself, not ahead: {}",
      parts_.storage->id(), opened.error().message);
}

std::span<std::byte> KvStream::in_slot(std::uint32_t layer, std::uint64_t strip, std::uint64_t block,
                                       std::uint64_t count) {
  auto* first = static_cast<std::byte*>(keys(layer).data);  // the values lie right behind the keys
  return {first + (strip * blocks_ + block) * block_bytes_, count * block_bytes_};
}

std::byte* KvStream::in_tail(std::uint32_t layer, std::uint64_t strip) {
  return static_cast<std::byte*>(tail_memory_.keys(layer).data) + strip * block_bytes_;
}

void KvStream::restart(std::uint32_t layer) {
  for (Slot& slot : slots_) {
    slot.read.end();
    slot.taken = false;
  }
  done_ = started_ = layer;
}

// Starts what has a free slot. With an odd number of layers the last and the first share one: then the first
// must wait at the start of a pass.
void KvStream::read_ahead() {
  while (started_ < done_ + kSlots) {
    const auto running = static_cast<std::uint32_t>(done_ % layers_);
    const auto layer = static_cast<std::uint32_t>(started_ % layers_);
    if (started_ > done_ && &slot_of(layer) == &slot_of(running)) return;
    start(layer, layer < running ? step_.position + step_.tokens : step_.position);
    ++started_;
  }
}

// A plugin that cannot even start leaves the layer to be read when it is needed.
void KvStream::start(std::uint32_t layer, std::uint64_t position) {
  Slot& slot = slot_of(layer);
  slot.position = position;
  slot.blocks = position / BELAY_KV_BLOCK;
  // A step that begins before the block that is in the tail needs a part of one that was written.
  if (slot.blocks < ends_[layer] / BELAY_KV_BLOCK && position % BELAY_KV_BLOCK != 0) ++slot.blocks;
  if (slot.blocks == 0 || !plugin_file_) return;
  for (std::uint64_t strip = 0; strip < strips_; ++strip) {
    const std::span<std::byte> to = in_slot(layer, strip, 0, slot.blocks);
    // Up to a whole block of the disk, which may be some of the next block of the cache: it is not there yet.
    const std::uint64_t bytes = (to.size() + disk_block_bytes_ - 1) / disk_block_bytes_ * disk_block_bytes_;
    extents_[strip] = {block_index(layer, strip, 0) * block_bytes_, bytes, to.data()};
  }
  slot.read.start(*parts_.storage, *plugin_file_, extents_);
}

Status KvStream::acquire(std::size_t node, const Step& step, const Stop& stop) {
  const std::uint32_t layer = touches_[node].begins;
  if (layer == kNoLayer) return {};
  if (step.position > ends_[layer]) {
    return fail(ErrorCode::kGeneral, "layer {} has keys of {} positions, and {} are needed", layer,
                ends_[layer], step.position);
  }
  Slot& slot = slot_of(layer);
  const bool in_turn = started_ > done_ && done_ % layers_ == layer && slot.position == step.position;
  if (!in_turn || slot.taken) restart(layer);
  step_ = step;
  read_ahead();
  slot.taken = true;
  BELAY_TRY(arrive(layer, stop));
  BELAY_TRY(verify(layer));
  // Where the step begins is the end now, and what is before it in its block belongs into the tail.
  ends_[layer] = step.position;
  if (slot.blocks > step.position / BELAY_KV_BLOCK) {
    to_tail(layer, step.position);
  } else {
    from_tail(layer, step.position);
  }
  return {};
}

Status KvStream::release(std::size_t node) {
  const std::uint32_t layer = touches_[node].ends;
  if (layer == kNoLayer) return {};
  BELAY_TRY(store(layer));
  slot_of(layer).taken = false;
  if (layer + 1 == layers_) step_.position += step_.tokens;  // the next pass, most likely
  ++done_;
  read_ahead();
  return {};
}

Status KvStream::arrive(std::uint32_t layer, const Stop& stop) {
  Slot& slot = slot_of(layer);
  if (slot.blocks == 0) return {};
  const Waiting waiting(use_.wait_s);
  use_.read_bytes += strips_ * slot.blocks * block_bytes_;
  if (plugin_file_) {
    dispatch::Trouble trouble;
    BELAY_TRY(slot.read.arrive(*parts_.storage, stop, trouble));
    if (!trouble) return {};
    BELAY_TRY(fell_back(*trouble));
  }
  return read_here(layer);
}

// The last link of the chain: the core, which reads when the blocks are needed.
Status KvStream::read_here(std::uint32_t layer) {
  for (std::uint64_t strip = 0; strip < strips_; ++strip) {
    BELAY_TRY(file_.read(block_index(layer, strip, 0) * block_bytes_,
                         in_slot(layer, strip, 0, slot_of(layer).blocks)));
  }
  return {};
}

Status KvStream::fell_back(const dispatch::Failure& failure) {
  if (parts_.strict) {
    return fail(ErrorCode::kFallbackForbidden,
                "reading the KV cache failed on {}: {}; --strict forbids a fallback", parts_.storage->id(),
                dispatch::text(failure));
  }
  parts_.fallbacks.record("kv_cache", parts_.storage->id(), "core", failure);
  return {};
}

// Of `count` blocks of every strip of a layer, from `first` on, in that order, as they are in its slot.
void KvStream::hash(std::uint32_t layer, std::uint64_t first, std::uint64_t count) {
  struct Work {
    KvStream& stream;
    std::uint32_t layer;
    std::uint64_t first;
    std::uint64_t count;
  } work{*this, layer, first, count};
  parts_.pool.parallel_for(
      strips_ * count, kHashGrain,
      [](void* user, std::uint64_t begin, std::uint64_t end, std::uint32_t) {
        const auto& todo = *static_cast<const Work*>(user);
        for (std::uint64_t i = begin; i < end; ++i) {
          todo.stream.seen_[i] =
              xxh3(todo.stream.in_slot(todo.layer, i / todo.count, todo.first + i % todo.count, 1));
        }
      },
      &work);
}

Status KvStream::verify(std::uint32_t layer) {
  const std::uint64_t count = slot_of(layer).blocks;
  hash(layer, 0, count);
  for (std::uint64_t i = 0; i < strips_ * count; ++i) {
    if (seen_[i] != hashes_[block_index(layer, i / count, i % count)])
      BELAY_TRY(repair(layer, i / count, i % count));
  }
  return {};
}

// A block that arrived with other bytes than were written is read again, past the plugin.
Status KvStream::repair(std::uint32_t layer, std::uint64_t strip, std::uint64_t block) {
  const std::uint64_t index = block_index(layer, strip, block);
  const std::uint64_t offset = index * block_bytes_;
  const std::span<std::byte> to = in_slot(layer, strip, block, 1);
  if (plugin_file_) {
    BELAY_TRY(fell_back(
        {BELAY_CORRUPT, BELAY_SCOPE_OP,
         format("the {} bytes at {} arrived with other content than was written", block_bytes_, offset)}));
  }
  for (int attempt = 1; attempt < kTries; ++attempt) {
    BELAY_TRY(file_.read(offset, to));
    if (xxh3(to) != hashes_[index]) continue;
    ++use_.repaired_blocks;
    return {};
  }
  return fail(
      ErrorCode::kGeneral,
      "{}: the {} bytes of the KV cache at {} of its unnamed file are not what was written there: the "
      "disk, or the memory, is damaged; choose another folder with XDG_CACHE_HOME",
      printable(file_.folder().string(), 400), block_bytes_, offset);
}

// The blocks that the step filled go to the file, what it began stays in the tail.
Status KvStream::store(std::uint32_t layer) {
  const std::uint64_t end = step_.position + step_.tokens;
  const std::uint64_t first = step_.position / BELAY_KV_BLOCK;
  const std::uint64_t count = end / BELAY_KV_BLOCK - first;
  if (count > 0) BELAY_TRY(write(layer, first, count));
  to_tail(layer, end);
  ends_[layer] = end;
  return {};
}

Status KvStream::write(std::uint32_t layer, std::uint64_t first, std::uint64_t count) {
  const Waiting waiting(use_.wait_s);
  hash(layer, first, count);
  for (std::uint64_t strip = 0; strip < strips_; ++strip) {
    const std::uint64_t index = block_index(layer, strip, first);
    std::copy_n(&seen_[strip * count], count, &hashes_[index]);
    BELAY_TRY(file_.write(index * block_bytes_, in_slot(layer, strip, first, count)));
  }
  use_.written_bytes += strips_ * count * block_bytes_;
  return {};
}

// Between slot and tail: what the block of `position` holds before it.
void KvStream::to_tail(std::uint32_t layer, std::uint64_t position) {
  const std::uint64_t bytes = position % BELAY_KV_BLOCK * row_bytes_;
  if (bytes == 0) return;
  for (std::uint64_t strip = 0; strip < strips_; ++strip)
    std::memcpy(in_tail(layer, strip), in_slot(layer, strip, position / BELAY_KV_BLOCK, 1).data(), bytes);
}

void KvStream::from_tail(std::uint32_t layer, std::uint64_t position) {
  const std::uint64_t bytes = position % BELAY_KV_BLOCK * row_bytes_;
  if (bytes == 0) return;
  for (std::uint64_t strip = 0; strip < strips_; ++strip)
    std::memcpy(in_slot(layer, strip, position / BELAY_KV_BLOCK, 1).data(), in_tail(layer, strip), bytes);
}

}  // namespace belay::runtime
