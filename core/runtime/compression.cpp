#include "core/runtime/compression.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/memory/compressed_tile.hpp"
#include "core/models/cache_name.hpp"
#include "core/runtime/weight_stream.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

namespace belay::runtime {
namespace {

using memory::TileHashes;

// Raised when the copy of the same weights has other bytes.
constexpr int kFormat = 1;
constexpr std::size_t kSamples = 8;  // tiles, 2 ms each to compress

Result<std::vector<std::byte>> read_tile(const CompressibleWeight& weight, std::uint64_t offset) {
  std::vector<std::byte> tile(std::min(TileHashes::kTileBytes, weight.bytes - offset));
  BELAY_TRY(read_range(weight.place.file, weight.place.offset + offset, tile));
  return tile;
}

// Weights on their way into the copy, as many tiles at once as all threads have work with.
class Copying {
 public:
  explicit Copying(threading::Pool& pool) : pool_(pool), packers_(pool.threads()) {}

  Status copy(const CompressibleWeight& weight, memory::CompressedFileWriter& to) {
    number_bytes_ = memory::number_bytes(weight.dtype);
    hashes_of(weight.place.file).expect(weight.place.offset, weight.bytes);
    BELAY_TRY(to.begin_part(part_name(weight.name, weight.place.offset), number_bytes_));
    const std::size_t at_once = std::size_t{4} * pool_.threads();
    for (std::uint64_t done = 0; done < weight.bytes; done += at_once * TileHashes::kTileBytes) {
      BELAY_TRY(read(weight, done, at_once));
      pack();
      for (const Tile& tile : tiles_) BELAY_TRY(to.append(tile.packed, tile.hash));
    }
    return {};
  }

 private:
  struct Tile {
    std::vector<std::byte> bytes;
    std::vector<std::byte> packed;
    Xxh3 hash = {};
  };

  Status read(const CompressibleWeight& weight, std::uint64_t from, std::size_t most) {
    TileHashes& hashes = hashes_of(weight.place.file);
    tiles_.clear();
    for (std::uint64_t offset = from; offset < weight.bytes && tiles_.size() < most;
         offset += TileHashes::kTileBytes) {
      Tile& tile = tiles_.emplace_back();
      BELAY_TRY_ASSIGN(tile.bytes, read_tile(weight, offset));
      tile.hash = xxh3(tile.bytes);
      if (hashes.check(weight.place.offset + offset, tile.hash)) continue;
      return fail(ErrorCode::kBadInput,
                  "{}: the bytes at {} are not what they were when they were first read",
                  printable(weight.place.file.string(), 400), weight.place.offset + offset);
    }
    return {};
  }

  TileHashes& hashes_of(const std::filesystem::path& file) {
    const auto known = hashes_.find(file);
    return known != hashes_.end() ? known->second : hashes_.emplace(file, TileHashes::of(file)).first->second;
  }

  void pack() {
    pool_.parallel_for(
        tiles_.size(), 1,
        [](void* user, std::uint64_t begin, std::uint64_t end, std::uint32_t worker) {
          auto& self = *static_cast<Copying*>(user);
          for (std::uint64_t i = begin; i < end; ++i)
            self.packers_[worker].pack(self.tiles_[i].bytes, self.number_bytes_, self.tiles_[i].packed);
        },
        this);
  }

  threading::Pool& pool_;
  std::vector<memory::TilePacker> packers_;
  std::map<std::filesystem::path, TileHashes> hashes_;
  std::size_t number_bytes_ = 1;  // of the weight that is copied
  std::vector<Tile> tiles_;       // of it
};

}  // namespace

std::vector<CompressibleWeight> compressible_weights(const graph::Graph& body,
                                                     const models::ModelFile& file) {
  std::vector<CompressibleWeight> weights;
  for (const graph::Node& node : body.nodes) {
    if (!can_stream(body, node)) continue;
    const graph::Weight& weight = body.weights[node.weights[0]];
    const auto place = file.place_of(weight.data);
    if (!place || file.made().find(weight.name) != nullptr) continue;
    weights.push_back({weight.name, weight.dtype, weight.data.size(), *place});
  }
  return weights;
}

// One tile from the middle of each of some weights.
Result<CompressionTrial> CompressionTrial::make(std::span<const CompressibleWeight> weights,
                                                threading::Pool& pool) {
  CompressionTrial trial(pool);
  const std::size_t count = std::min(kSamples, weights.size());
  memory::TilePacker packer;
  for (std::size_t i = 0; i < count; ++i) {
    const CompressibleWeight& weight = weights[i * weights.size() / count];
    const std::uint64_t middle = weight.bytes / 2 / TileHashes::kTileBytes * TileHashes::kTileBytes;
    BELAY_TRY_ASSIGN(const std::vector<std::byte> tile, read_tile(weight, middle));
    Sample& sample = trial.samples_.emplace_back();
    sample.number_bytes = memory::number_bytes(weight.dtype);
    sample.bytes = tile.size();
    packer.pack(tile, sample.number_bytes, sample.packed);
  }
  return trial;
}

double CompressionTrial::ratio() const {
  double bytes = 0;
  double packed = 0;
  for (const Sample& sample : samples_) {
    bytes += static_cast<double>(sample.bytes);
    packed += static_cast<double>(sample.packed.size());
  }
  return bytes > 0 ? packed / bytes : 1;
}

std::optional<double> CompressionTrial::packed_speed(dispatch::Storage& storage, DiskTrial trial) {
  unpackers_.resize(pool_->threads());
  tiles_.assign(pool_->threads(), std::vector<std::byte>(TileHashes::kTileBytes));
  trial.use = [&](std::span<const std::byte> arrived) {
    const double bytes = static_cast<double>(arrived.size()) / ratio();
    unpack(static_cast<std::uint64_t>(bytes / static_cast<double>(TileHashes::kTileBytes)));
  };
  const auto speed = measure_disk(storage, trial);
  return speed ? std::optional(*speed / ratio()) : std::nullopt;
}

std::optional<double> CompressionTrial::gain(dispatch::Storage& storage, DiskTrial plain) {
  constexpr std::size_t kRounds = 3;
  constexpr double kHopeless = 0.9;
  const std::uint64_t most = plain.bytes;
  plain.passes = 1;
  static_cast<void>(measure_disk(storage, plain));  // the first pass over them, which is not to count
  std::vector<double> gains;
  for (std::size_t round = 0; round < kRounds; ++round) {
    plain.bytes = round == 0 ? most / 2 : most;
    std::optional<double> speed;
    if (round == 1) speed = measure_disk(storage, plain);  // by turns first and second
    const auto packed = packed_speed(storage, plain);
    if (round != 1) speed = measure_disk(storage, plain);
    if (!speed || !packed) return std::nullopt;
    gains.push_back(*packed / *speed);
    if (gains.front() < kHopeless) return gains.front();
  }
  std::ranges::nth_element(gains, gains.begin() + kRounds / 2);
  return gains[kRounds / 2];
}

// As many tiles as arrived, and what is done with them then.
void CompressionTrial::unpack(std::uint64_t tiles) {
  pool_->parallel_for(
      tiles, 1,
      [](void* user, std::uint64_t begin, std::uint64_t end, std::uint32_t worker) {
        auto& trial = *static_cast<CompressionTrial*>(user);
        for (std::uint64_t i = begin; i < end; ++i) {
          const Sample& sample = trial.samples_[i % trial.samples_.size()];
          const auto tile = std::span(trial.tiles_[worker]).first(sample.bytes);
          static_cast<void>(trial.unpackers_[worker].unpack(sample.packed, sample.number_bytes, tile));
          for (int round = 0; round < 2; ++round) static_cast<void>(xxh3(tile));
        }
      },
      this);
}

std::string part_name(std::string_view weight, std::uint64_t offset) {
  return format("{} at {}", weight, offset);
}

CopyName name_copy(std::span<const CompressibleWeight> weights, const models::ModelFile& file,
                   const std::filesystem::path& folder) {
  std::set<std::filesystem::path> files;
  for (const CompressibleWeight& weight : weights) files.insert(weight.place.file);
  std::string text = format("compressed, format {}\n", kFormat);
  for (const auto& source : files) text += models::describe_file(source);
  for (const CompressibleWeight& weight : weights)
    text += format("{} {} {} {}\n", printable(weight.name), to_string(weight.dtype), weight.bytes,
                   weight.place.offset);
  return {folder / models::cache_file_name(file.name(), "zstd", text), text};
}

Status make_copy(std::span<const CompressibleWeight> weights, const CopyName& name, std::string note,
                 threading::Pool& pool, const std::function<Status(std::size_t, std::size_t)>& on_weight) {
  BELAY_TRY_ASSIGN(auto writer,
                   memory::CompressedFileWriter::begin(name.path, name.description, std::move(note)));
  Copying copying(pool);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (on_weight) BELAY_TRY(on_weight(i, weights.size()));
    BELAY_TRY(copying.copy(weights[i], writer));
  }
  return writer.commit();
}

}  // namespace belay::runtime
