#include "core/models/made_weights.hpp"

#include "core/base/format.hpp"
#include "core/base/log.hpp"
#include "core/base/text.hpp"
#include "core/models/cache_name.hpp"
#include "core/models/quantize_weights.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace belay::models {
namespace {

// Raised when other bytes are made of the same source, or they are laid out otherwise.
constexpr int kFormat = 1;

std::uint64_t bytes_of(const MadeWeight& weight) { return weight.room.size(); }

// A part of a weight's rows and where what is made of them goes.
struct Piece {
  graph::Weight rows;
  std::uint64_t first_row = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

// The rows in pieces of about a MiB, so that neither the source nor what is made of it is in memory as a
// whole.
std::vector<Piece> pieces_of(const MadeWeight& weight) {
  constexpr std::uint64_t kPieceBytes = std::uint64_t{1} << 20U;
  const auto rows = static_cast<std::uint64_t>(weight.source.shape[0]);
  const std::uint64_t from_row = weight.source.data.size() / rows;
  const std::uint64_t to_row = bytes_of(weight) / rows;
  const std::uint64_t at_once = std::max<std::uint64_t>(1, kPieceBytes / to_row);
  std::vector<Piece> pieces;
  for (std::uint64_t first = 0; first < rows; first += at_once) {
    const std::uint64_t count = std::min(at_once, rows - first);
    Piece piece{weight.source, first, first * to_row, count * to_row};
    piece.rows.shape[0] = static_cast<std::int64_t>(count);
    piece.rows.data = weight.source.data.subspan(first * from_row, count * from_row);
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

Status make_piece(const Piece& piece, DType to, std::span<std::byte> out, threading::Pool& pool) {
  BELAY_TRY(quantize(piece.rows, to, out, pool, piece.first_row));
  if (piece.rows.home == graph::Home::kFile) forget_pages(piece.rows.data);
  return {};
}

Status make_whole(const MadeWeight& weight, std::span<std::byte> out, threading::Pool& pool) {
  for (const Piece& piece : pieces_of(weight))
    BELAY_TRY(make_piece(piece, weight.dtype, out.subspan(piece.offset, piece.bytes), pool));
  return {};
}

// Of some of its bytes: whoever trains a model further changes all of its matrices.
std::string fingerprint(const graph::Weight& source) {
  constexpr std::size_t kSample = 4096;
  const std::span<const std::byte> data = source.data;
  const std::size_t size = std::min(kSample, data.size());
  const Xxh3 begin = xxh3(data.first(size));
  const Xxh3 middle = xxh3(data.subspan((data.size() - size) / 2, size));
  if (source.home == graph::Home::kFile) forget_pages(data);
  return format("{:016x}{:016x}", begin[0], middle[0]);
}

// What the cache file holds. Two models that differ in anything that matters have different texts.
std::string describe(const std::map<std::string, MadeWeight, std::less<>>& weights,
                     const MadeWeights::SourceFile& source_file) {
  std::set<std::filesystem::path> files;
  std::string text = format("format {}\n", kFormat);
  std::string table;
  for (const auto& [name, weight] : weights) {
    table += format("{} {} {} {} {}\n", printable(name), to_string(weight.source.dtype),
                    to_string(weight.dtype), bytes_of(weight), fingerprint(weight.source));
    if (const auto place = source_file(weight.source.data)) files.insert(place->file);
  }
  for (const auto& file : files) text += describe_file(file);
  return text + table;
}

}  // namespace

Status MadeWeights::declare(Tensors& tensors, std::string name, const formats::TensorView& tensor, DType to) {
  MadeWeight made;
  made.source = {name,
                 tensor.dtype,
                 {tensor.shape.begin(), tensor.shape.end()},
                 tensor.data,
                 tensor.in_file ? graph::Home::kFile : graph::Home::kMemory};
  made.dtype = to;
  BELAY_TRY_ASSIGN(made.room, tensors.make(name, to, made.source.shape, graph::Home::kUnmade));
  by_name_.insert_or_assign(std::move(name), std::move(made));
  return {};
}

const MadeWeight* MadeWeights::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found != by_name_.end() ? &found->second : nullptr;
}

Result<std::string> MadeWeights::make(Tensors& tensors, std::string_view model, const SourceFile& source_file,
                                      const Options& options) {
  std::string trouble;
  if (options.is_streamed) {
    BELAY_TRY_ASSIGN(trouble, make_in_cache(model, source_file, options));
  }
  for (const auto& [name, weight] : by_name_) {
    if (cache_ && cache_->has(weight.part))
      tensors.place(name, cache_->bytes(weight.part), graph::Home::kFile);
  }
  BELAY_TRY(make_in_memory(tensors, options));
  return trouble;
}

Result<std::string> MadeWeights::make_in_cache(std::string_view model, const SourceFile& source_file,
                                               const Options& options) {
  const Status opened = open_cache(model, source_file, options);
  if (!opened.ok() && opened.error().code == ErrorCode::kInterrupted) return opened.error();
  if (!opened.ok()) return opened.error().message;
  std::string trouble;
  BELAY_TRY(fill_cache(options, trouble));
  return trouble;
}

// Those that have no place yet and are not made at every pass.
Status MadeWeights::make_in_memory(Tensors& tensors, const Options& options) {
  std::size_t done = 0;
  for (const auto& [name, weight] : by_name_) {
    const std::size_t number = done++;
    if (tensors.find(name)->home != graph::Home::kUnmade) continue;
    if (options.is_streamed && options.is_streamed(name)) continue;
    if (options.on_weight) BELAY_TRY(options.on_weight(number, by_name_.size()));
    BELAY_TRY(make_whole(weight, weight.room, options.pool));
    tensors.place(name, weight.room, graph::Home::kMemory);
  }
  return {};
}

Status MadeWeights::open_cache(std::string_view model, const SourceFile& source_file,
                               const Options& options) {
  if (options.cache_folder.empty())
    return fail(ErrorCode::kUsage, "there is no folder for them: set HOME or XDG_CACHE_HOME");
  std::vector<std::uint64_t> sizes;
  for (auto& [name, weight] : by_name_) {
    weight.part = sizes.size();
    sizes.push_back(bytes_of(weight));
  }
  const std::string description = describe(by_name_, source_file);
  memory::TileFile::Options cache = options.cache;
  cache.waiting = [&options, said = false, total = by_name_.size()]() mutable -> Status {
    if (!std::exchange(said, true))
      log(LogLevel::kWarn, "another process makes the same weights; waiting for it");
    return options.on_weight ? options.on_weight(0, total) : Status();
  };
  // The first one is of a layer, and has the type that was asked for.
  const DType dtype = by_name_.begin()->second.dtype;
  BELAY_TRY_ASSIGN(cache_, memory::TileFile::open(
                               options.cache_folder / cache_file_name(model, to_string(dtype), description),
                               description, sizes, std::move(cache)));
  return {};
}

// Parts that are streamed are checked at every reading; the others now.
Status MadeWeights::fill_cache(const Options& options, std::string& trouble) {
  std::size_t done = 0;
  Status stopped;
  for (const auto& [name, weight] : by_name_) {
    if (options.on_weight) stopped = options.on_weight(done++, by_name_.size());
    if (!stopped.ok()) break;
    const bool there = cache_->has(weight.part) && (options.is_streamed(name) || cache_->check(weight.part));
    if (!there && trouble.empty()) BELAY_TRY(to_cache(weight, options.pool, trouble));
  }
  if (trouble.empty()) {
    if (const Status kept = cache_->keep(); !kept.ok()) trouble = kept.error().message;
  }
  cache_->release();
  return stopped;
}

// An error is one of the source; what the disk says becomes `trouble`.
Status MadeWeights::to_cache(const MadeWeight& weight, threading::Pool& pool, std::string& trouble) {
  std::vector<std::byte> made;
  for (const Piece& piece : pieces_of(weight)) {
    made.resize(piece.bytes);
    BELAY_TRY(make_piece(piece, weight.dtype, made, pool));
    const Status written = cache_->append(weight.part, made);
    if (written.ok()) continue;
    trouble = written.error().message;
    break;
  }
  return {};
}

Status MadeWeights::make_again(const MadeWeight& weight, std::span<std::byte> out, threading::Pool& pool) {
  BELAY_TRY(make_whole(weight, out, pool));
  if (cache_ && cache_->has(weight.part)) cache_->mend(weight.part, out);
  return {};
}

std::optional<FilePlace> MadeWeights::place_of(std::span<const std::byte> bytes) const {
  return cache_ ? cache_->mapping().place_of(bytes) : std::nullopt;
}

}  // namespace belay::models
