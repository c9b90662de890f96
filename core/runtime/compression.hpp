// Whether streamed weights are read from a compressed copy, and that copy. It is worth its place on the disk
// where reading is slow and the numbers compress: then a token waits less for the disk than it waits for
// zstd. Both are measured, on the machine and on the model. Lossless.
#pragma once

#include "core/memory/compressed_file.hpp"
#include "core/memory/compressed_tile.hpp"
#include "core/models/model.hpp"
#include "core/runtime/prediction.hpp"
#include "core/threading/pool.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::runtime {

inline constexpr double kLeastGain = 1.10;

struct Compression {
  bool used = false;
  std::string why = {};              // in words
  std::optional<double> ratio = {};  // compressed bytes over bytes
  std::optional<double> gain = {};   // streamed bytes a second with it over those without
};

// A weight of the model's own files that may have a copy.
struct CompressibleWeight {
  std::string name;
  DType dtype = DType::kF32;
  std::uint64_t bytes = 0;
  FilePlace place;
};

// Every matrix that can be streamed, whatever the limit is now, so that one copy serves all; in the order of
// the graph, before any of it is streamed. Those that are made of others have none: they are blocks.
[[nodiscard]] std::vector<CompressibleWeight> compressible_weights(const graph::Graph& body,
                                                                   const models::ModelFile& file);

// What compression does to tiles from all over the weights; nothing is decided yet.
class CompressionTrial {
 public:
  [[nodiscard]] static Result<CompressionTrial> make(std::span<const CompressibleWeight> weights,
                                                     threading::Pool& pool);

  [[nodiscard]] double ratio() const;
  // As measure_disk(), of bytes that are unpacked. Reading takes CPU time, too, so that neither can be
  // measured alone.
  [[nodiscard]] std::optional<double> packed_speed(dispatch::Storage& storage, DiskTrial trial);
  // That over the speed of reading them whole: the median of three rounds, or a first and short one that
  // leaves no hope. Nothing when it cannot be measured. `plain` reads what is streamed.
  [[nodiscard]] std::optional<double> gain(dispatch::Storage& storage, DiskTrial plain);

 private:
  struct Sample {
    std::size_t number_bytes = 1;
    std::uint64_t bytes = 0;
    std::vector<std::byte> packed;
  };
  explicit CompressionTrial(threading::Pool& pool) : pool_(&pool) {}
  void unpack(std::uint64_t tiles);

  threading::Pool* pool_;
  std::vector<Sample> samples_;
  std::vector<memory::TileUnpacker> unpackers_;  // of each thread
  std::vector<std::vector<std::byte>> tiles_;
};

// What a copy calls a weight; `offset`: of its first byte in its file, since parts of a tensor have one name.
[[nodiscard]] std::string part_name(std::string_view weight, std::uint64_t offset);

// The copy's name in the cache folder, and what must be in it.
struct CopyName {
  std::filesystem::path path;
  std::string description;
};
[[nodiscard]] CopyName name_copy(std::span<const CompressibleWeight> weights, const models::ModelFile& file,
                                 const std::filesystem::path& folder);

// Makes it, with a note of why. `on_weight` is called before each weight, and its errors end the making. What
// is not what it was when it was first read is kBadInput.
[[nodiscard]] Status make_copy(std::span<const CompressibleWeight> weights, const CopyName& name,
                               std::string note, threading::Pool& pool,
                               const std::function<Status(std::size_t done, std::size_t total)>& on_weight);

}  // namespace belay::runtime
