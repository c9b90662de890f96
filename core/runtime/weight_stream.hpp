// The weights that have no place in memory: they are read from the model's files while it runs, in the order
// in which a pass over the graph needs them, into a ring, ahead of the computation. A storage plugin reads;
// where it fails, the core reads itself. What arrives is checked against the hashes of its first reading just
// before it is used. A weight that was made of others (models/made_weights.hpp) is made again where its file
// has other bytes, or where it has no file. Weights may be read from a compressed copy, which is unpacked
// just before they are used; where it is wrong, they are read from the model's file.
//
// Everything is allocated when the streaming begins, not while it goes on. One thread at a time.
#pragma once

#include "core/dispatch/failure.hpp"
#include "core/dispatch/storage.hpp"
#include "core/graph/graph.hpp"
#include "core/memory/buffer.hpp"
#include "core/memory/compressed_file.hpp"
#include "core/memory/compressed_tile.hpp"
#include "core/memory/ring.hpp"
#include "core/memory/tile_hashes.hpp"
#include "core/models/model_file.hpp"
#include "core/runtime/ahead_read.hpp"
#include "core/runtime/stop.hpp"
#include "core/threading/pool.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace belay::runtime {

struct StreamOptions {
  std::size_t first_layer = 0;   // of those that are streamed; the layers before it stay in memory
  std::uint64_t ring_bytes = 0;  // at most
};

// What streaming did so far.
struct StreamUse {
  std::string method;  // how the plugin reads, in its words
  std::uint64_t ring_bytes = 0;
  std::uint64_t pass_bytes = 0;      // of the streamed weights
  std::uint64_t stored_bytes = 0;    // that these take on the disk: fewer where they are compressed
  std::uint64_t read_bytes = 0;      // read and used
  std::uint64_t made_bytes = 0;      // made of the model's own weights, and used
  std::uint64_t repaired_tiles = 0;  // that arrived wrong and were read, or made, again
  double wait_s = 0;                 // that the computation stood still for the disk
};

// Whether a node's weight can be streamed: a matrix of a layer, in a file, or one that is still to be made.
// Pure.
[[nodiscard]] bool can_stream(const graph::Graph& graph, const graph::Node& node);

class WeightStream {
 public:
  // What a weight takes in the ring beyond its bytes, at most: it is read in whole blocks.
  static constexpr std::uint64_t kBlockBytes = 4096;
  static constexpr std::uint64_t kRoomAround = 2 * kBlockBytes;

  struct Parts {
    models::ModelFile& file;
    dispatch::Storage* storage;  // may be null: then the core reads, and nothing is ahead
    dispatch::FallbackLog& fallbacks;
    threading::Pool& pool;
  };

  // Of the weights of `graph`, none yet. Under `strict` a failing plugin is an error. `graph` and the parts
  // must outlive the stream.
  WeightStream(graph::Graph& graph, const Parts& parts, bool strict)
      : graph_(graph), parts_(parts), strict_(strict) {}
  WeightStream(const WeightStream&) = delete;
  WeightStream& operator=(const WeightStream&) = delete;
  ~WeightStream();

  // From the next lay_out() on, weights that are in it are read from this copy, if the ring has room for what
  // they are unpacked into.
  void read_compressed(memory::CompressedFile copy) { compressed_.emplace(std::move(copy)); }
  // Gives the weights from the first streamed layer on their places in the ring. What was streamed before
  // gets its place in the file back. Nothing may be bound to these weights, or it must be bound again.
  // Reading starts with the next pass. kOutOfMemory when there is no memory for the ring, or it is too small
  // for the largest weight.
  [[nodiscard]] Status lay_out(const StreamOptions& options);
  [[nodiscard]] bool is_streaming() const { return !items_.empty(); }

  // Before a node runs: its weight is there until release(). Nodes come in the graph's order; one that is out
  // of turn begins a new pass. kBadInput when the file no longer has the bytes it had, with file and offset;
  // the error of the file when nobody can read it; kFallbackForbidden; and what `stop` says.
  [[nodiscard]] Status acquire(std::size_t node, const Stop& stop) {
    return is_streaming() ? bring(node, stop) : Status();
  }
  // After it ran: others may take its place.
  void release(std::size_t node);

  [[nodiscard]] const StreamUse& use() const { return use_; }

 private:
  static constexpr std::size_t kNoFile = ~std::size_t{0};
  struct File {
    std::filesystem::path path;
    std::optional<dispatch::StorageFile> storage;
    std::uint64_t end = 0;  // of its last block, as the plugin counts them
    memory::TileHashes hashes;
  };
  struct Place {
    std::size_t file = kNoFile;
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    [[nodiscard]] std::uint64_t lead() const { return offset % kBlockBytes; }  // of the block before it
  };
  // A weight on its way around the ring.
  struct Item {
    std::size_t node = 0;
    std::span<const std::byte> home;                 // in the mapped file, when it has one
    const models::MadeWeight* made = nullptr;        // what it is made of, when it is
    const memory::CompressedPart* packed = nullptr;  // when it is read from the compressed copy
    Place source;                                    // the weight itself, which has the hashes
    Place stored;                                    // what is read: the same, or its copy
    std::uint64_t slot_bytes = 0;
    std::span<std::byte> slot;     // whole blocks
    std::span<std::byte> content;  // the weight, in the slot or unpacked
    bool came_packed = false;      // then it must be unpacked
    AheadRead read;
  };

  void go_home();
  Status collect(std::size_t first_layer);
  void find_copy(Item& item, const graph::Weight& weight);
  bool take_hashes(const Place& source, const memory::CompressedPart& part);
  Status make_ring(std::uint64_t bytes);
  Status make_room_to_unpack(std::uint64_t& bytes);
  Status bring(std::size_t node, const Stop& stop);
  std::size_t file_of(const std::filesystem::path& path);
  void prepare();
  void read_ahead();
  void start(Item& item);
  void restart(std::size_t item);
  Status arrive(Item& item, const Stop& stop);
  Status make(const Item& item);
  Status make_after(const Item& item, const dispatch::Failure& failure);
  void take_tiles(const Item& item, std::size_t tiles);
  Status verify(Item& item);
  Status repair(const Item& item, std::size_t tile);
  Status fell_back(const dispatch::Failure& failure, std::string_view from, std::string_view to);

  graph::Graph& graph_;
  Parts parts_;
  bool strict_;
  bool prepared_ = false;
  std::optional<memory::CompressedFile> compressed_;
  std::size_t compressed_file_ = kNoFile;  // of files_
  memory::Buffer buffer_;
  memory::Ring ring_;
  memory::Buffer unpacked_;                      // of one weight at a time
  std::vector<memory::TileUnpacker> unpackers_;  // of each thread
  std::vector<File> files_;
  std::vector<Item> items_;           // in the order of the pass
  std::vector<std::size_t> item_of_;  // for each node
  std::vector<Xxh3> hashes_;          // of the tiles of one item
  // Counted over all passes: item n of pass p is p * items + n.
  std::uint64_t done_ = 0;     // released
  std::uint64_t started_ = 0;  // being read, or there
  StreamUse use_;
};

}  // namespace belay::runtime
