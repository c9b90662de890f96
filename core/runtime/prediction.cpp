#include "core/runtime/prediction.hpp"

#include "core/base/format.hpp"
#include "core/base/xxh3.hpp"
#include "core/memory/buffer.hpp"
#include "core/memory/tile_hashes.hpp"
#include "core/runtime/weight_stream.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <vector>

namespace belay::runtime {
namespace {

using Clock = std::chrono::steady_clock;

// Share of a bare reading of memory that decoding reaches: over packed weights (0.8 to 0.95 for the formats
// of the 1.7B shape), and over the file's layout after its hash (12 and 12.6 GB/s a thread where the bare
// reading has 17 to 25).
constexpr double kPackedShare = 0.85;
constexpr double kStreamedShare = 0.35;

constexpr std::uint64_t kHostBlockBytes = std::uint64_t{96} << 20U;
constexpr int kHostRounds = 3;
constexpr std::uint64_t kReadBytes = std::uint64_t{8} << 20U;  // of one read from the disk

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::uint64_t sum(std::span<const std::uint64_t> numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), std::uint64_t{0});
}

}  // namespace

TokenBytes token_bytes(const models::Decoder& decoder, const memory::LayerPlacement& layers) {
  TokenBytes bytes;
  for (const graph::Graph* graph : {&decoder.body, &decoder.head}) {
    for (const graph::Node& node : graph->nodes) {
      if (node.op != graph::Op::kLinear) continue;
      const std::uint64_t weight = graph->weights[node.weights[0]].data.size();
      const bool streamed = layers.streamed_bytes > 0 && can_stream(*graph, node) &&
                            static_cast<std::size_t>(node.layer) >= layers.pinned;
      (streamed ? bytes.disk : bytes.host) += weight;
    }
  }
  bytes.ahead = std::min(bytes.disk, layers.ring_bytes);
  return bytes;
}

Prediction predict(const TokenBytes& bytes, const TierSpeeds& speeds) {
  Prediction prediction{bytes, speeds, std::nullopt};
  const auto known = [](std::optional<double> speed) { return speed && *speed > 0; };
  if (!known(speeds.host) || (bytes.disk > 0 && !known(speeds.disk)) || bytes.host + bytes.disk == 0)
    return prediction;
  const double pinned_s = static_cast<double>(bytes.host) / (kPackedShare * *speeds.host);
  const double streamed_s = static_cast<double>(bytes.disk) / (kStreamedShare * *speeds.host);
  const double disk_s = bytes.disk > 0 ? static_cast<double>(bytes.disk) / *speeds.disk : 0;
  const double ahead_s = bytes.disk > 0 ? static_cast<double>(bytes.ahead) / *speeds.disk : 0;
  prediction.tokens_per_s = 1 / (pinned_s + std::max(streamed_s, disk_s - std::min(ahead_s, pinned_s)));
  return prediction;
}

std::optional<double> measure_host(threading::Pool& pool) {
  auto block = memory::Buffer::allocate(kHostBlockBytes, "a measurement", memory::Pages::kLarge);
  if (!block.ok()) return std::nullopt;
  const std::span<std::uint64_t> numbers = block->as<std::uint64_t>();
  std::iota(numbers.begin(), numbers.end(), std::uint64_t{1});  // memory that was never written is not there
  struct Work {
    std::span<const std::uint64_t> numbers;
    std::vector<std::uint64_t> sums;
  } work{numbers, std::vector<std::uint64_t>(pool.threads())};
  constexpr std::uint64_t kGrain = std::uint64_t{1} << 17U;  // 1 MiB
  const threading::Pool::Step awake(pool);
  double best = 0;
  for (int round = 0; round < kHostRounds; ++round) {
    const auto start = Clock::now();
    pool.parallel_for(
        numbers.size() / kGrain, 1,
        [](void* user, std::uint64_t begin, std::uint64_t end, std::uint32_t worker) {
          auto& todo = *static_cast<Work*>(user);
          todo.sums[worker] += sum(todo.numbers.subspan(begin * kGrain, (end - begin) * kGrain));
        },
        &work);
    best = std::max(best, static_cast<double>(kHostBlockBytes) / seconds_since(start));
  }
  // The sum is looked at, so that the reading cannot be left out.
  return sum(work.sums) != 0 ? std::optional(best) : std::nullopt;
}

std::optional<double> measure_disk(dispatch::Storage& storage, const DiskTrial& trial) {
  constexpr std::uint64_t kBlock = WeightStream::kBlockBytes;
  dispatch::StorageFile::Info info;
  auto opened = storage.open(std::filesystem::absolute(trial.file), kBlock, info);
  if (!opened.ok()) return std::nullopt;
  const std::size_t reads = std::min(trial.bytes, info.file_bytes) / kReadBytes;
  const std::size_t slots = std::min(std::max<std::size_t>(trial.ring_bytes / kReadBytes, 1), reads);
  // Layers do not lie in their order: what is read may have to begin before the first that is streamed.
  std::uint64_t offset = std::min(trial.offset, info.file_bytes - reads * kReadBytes);
  offset -= offset % kBlock;
  auto ring = memory::Buffer::allocate(slots * kReadBytes, "a measurement", memory::Pages::kLarge);
  if (slots == 0 || !ring.ok()) return std::nullopt;
  std::fill_n(ring->data(), ring->size(), std::byte{1});  // pages that are there, as the stream's are
  storage.prepare({ring->data(), ring->size()});
  const auto measure = [&]() -> std::optional<double> {
    std::vector<std::optional<dispatch::StorageRead>> in_flight(slots);
    const auto slot = [&](std::size_t read) {
      return std::span(ring->data() + read % slots * kReadBytes, kReadBytes);
    };
    const auto begin = [&](std::size_t read) {
      const belay_extent_t extent = {offset + read * kReadBytes, kReadBytes, slot(read).data()};
      in_flight[read % slots].reset();
      return opened->read({&extent, 1}, in_flight[read % slots]);
    };
    const auto start = Clock::now();
    for (std::size_t read = 0; read < slots; ++read) {
      if (begin(read)) return std::nullopt;
    }
    for (std::size_t read = 0; read < reads; ++read) {
      if (in_flight[read % slots]->wait(0)) return std::nullopt;
      trial.use(slot(read));
      if (read + slots < reads && begin(read + slots)) return std::nullopt;
    }
    return static_cast<double>(reads * kReadBytes) / seconds_since(start);
  };
  std::optional<double> speed;
  for (int pass = 0; pass < trial.passes; ++pass) speed = measure();
  storage.prepare({});
  return speed;
}

// All threads hash them, and then take about as long for the products, here with a second hash.
void use_arrived(std::span<const std::byte> bytes, threading::Pool& pool) {
  constexpr std::uint64_t kTile = memory::TileHashes::kTileBytes;
  pool.parallel_for(
      bytes.size() / kTile, 1,
      [](void* user, std::uint64_t begin, std::uint64_t end, std::uint32_t) {
        const auto& all = *static_cast<const std::span<const std::byte>*>(user);
        for (std::uint64_t tile = begin; tile < end; ++tile) {
          for (int round = 0; round < 2; ++round) (void)xxh3(all.subspan(tile * kTile, kTile));
        }
      },
      &bytes);
}

std::string prediction_text(const Prediction& prediction) {
  const auto part = [](std::uint64_t bytes, const char* where, std::optional<double> speed) {
    return format("{:.1f} MiB from {} at {}", static_cast<double>(bytes) / (1 << 20), where,
                  speed ? format("{:.1f} GB/s", *speed / 1e9) : std::string("an unknown speed"));
  };
  std::string text =
      prediction.tokens_per_s ? format("{:.1f} tokens/s", *prediction.tokens_per_s) : std::string("unknown");
  text += ": a token reads " + part(prediction.bytes.host, "memory", prediction.speeds.host);
  if (prediction.bytes.disk > 0)
    text += " and " + part(prediction.bytes.disk, "the disk", prediction.speeds.disk);
  return text;
}

}  // namespace belay::runtime
