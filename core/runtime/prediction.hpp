// How fast a plan will decode, before anything is loaded: what a token reads from each tier, over what the
// tiers were measured to deliver.
#pragma once

#include "core/dispatch/storage.hpp"
#include "core/models/model.hpp"
#include "core/runtime/memory_plan.hpp"
#include "core/threading/pool.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace belay::runtime {

// Bytes of weights that one token reads.
struct TokenBytes {
  std::uint64_t host = 0;   // that stay in memory
  std::uint64_t disk = 0;   // that are streamed
  std::uint64_t ahead = 0;  // of these, what has room before it is needed
};

// Bytes a second; nothing when unknown.
struct TierSpeeds {
  std::optional<double> host;
  std::optional<double> disk;
};

struct Prediction {
  TokenBytes bytes;
  TierSpeeds speeds;
  std::optional<double> tokens_per_s;  // decoding, at an empty context
};

// The matrices of the layers and of the head. Pure.
[[nodiscard]] TokenBytes token_bytes(const models::Decoder& decoder, const memory::LayerPlacement& layers);

// While layers that stay are computed the disk reads ahead what has room, no more; then reading and computing
// overlap, and the slower of the two counts. Weights in memory are computed as fast as they are read, nearly;
// streamed ones lie in the file's layout and are checked first. Pure.
[[nodiscard]] Prediction predict(const TokenBytes& bytes, const TierSpeeds& speeds);

// All threads of the pool read a block that is larger than usual caches; a tenth of a second at most.
// Nothing when there is no memory for it.
[[nodiscard]] std::optional<double> measure_host(threading::Pool& pool);

// What of which file is read, in a ring of how many bytes, to measure its disk, and what is done with what
// arrived.
struct DiskTrial {
  std::filesystem::path file;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t ring_bytes = 0;
  std::function<void(std::span<const std::byte> arrived)> use;
  // Over the same bytes; the last one counts. Streaming reads its bytes again and again, and the host of a
  // virtual disk has them from the second time on (0.6 and 2.0 GB/s were measured one after the other).
  int passes = 2;
};

// As streaming reads it through the plugin, with the threads at work on what arrived: they take CPU time from
// the disk's driver (3.0 GB/s alone, 2.6 to 2.0 beside two threads on a virtual disk). Nothing when it
// cannot.
[[nodiscard]] std::optional<double> measure_disk(dispatch::Storage& storage, const DiskTrial& trial);

// What a step does with bytes that arrived, as far as the disk's driver notices.
void use_arrived(std::span<const std::byte> bytes, threading::Pool& pool);

// "1.9 tokens/s: a token reads 520.1 MiB from memory at 30.1 GB/s and 1224.0 MiB from the disk at 2.4 GB/s"
[[nodiscard]] std::string prediction_text(const Prediction& prediction);

}  // namespace belay::runtime
