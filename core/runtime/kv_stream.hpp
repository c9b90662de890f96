// A KV cache that is larger than the memory for it. A layer needs its keys and values only while it runs, and
// layers run in order, pass after pass: so two slots in memory hold those of the layer that runs and of the
// next, and the rest lies in a file. A storage plugin reads ahead; where it fails, the core reads itself.
//
// Of every layer the last block of 64 positions, which is not full yet, stays in memory, its tail: so a step
// writes only the blocks that it fills, and most tokens nothing. Every block is hashed when it is written,
// and checked against that whenever it comes back.
//
// The file is laid out like the slots in memory: (layer, keys and values, kv_heads, position/64, 64,
// head_dim), with some blocks more where the disk's would not fit. What belongs to one head, its keys or its
// values, is called a strip here: 2 * kv_heads of them a layer.
//
// Everything is allocated at the start. One thread at a time.
#pragma once

#include "core/base/xxh3.hpp"
#include "core/dispatch/failure.hpp"
#include "core/dispatch/storage.hpp"
#include "core/graph/graph.hpp"
#include "core/memory/kv_cache.hpp"
#include "core/memory/spill_file.hpp"
#include "core/runtime/ahead_read.hpp"
#include "core/runtime/stop.hpp"
#include "core/threading/pool.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace belay::runtime {

// What a spilled cache did so far.
struct KvUse {
  std::string method;  // how the plugin reads, in its words; empty: the core reads
  std::uint64_t written_bytes = 0;
  std::uint64_t read_bytes = 0;       // read and used
  std::uint64_t repaired_blocks = 0;  // that arrived wrong and were read again
  double wait_s = 0;                  // that the computation stood still for reads and writes
};

class KvStream {
 public:
  struct Parts {
    std::filesystem::path folder;  // of the file
    dispatch::Storage* storage;    // may be null: then the core reads, and nothing is ahead
    dispatch::FallbackLog& fallbacks;
    threading::Pool& pool;
    bool strict = false;  // a failing plugin is an error
    memory::SpillFile::Calls calls = memory::SpillFile::system_calls();
  };
  struct Step {
    std::uint64_t position = 0;  // of its first token
    std::uint64_t tokens = 0;
  };

  // Bytes that such a cache takes in memory; nothing on overflow. On the disk it takes those of a KvCache.
  [[nodiscard]] static std::optional<std::uint64_t> memory_bytes(const memory::KvCacheShape& content);

  // An empty cache for a graph with that many layers. The parts must outlive it.
  [[nodiscard]] static Result<std::unique_ptr<KvStream>> create(const graph::Graph& graph,
                                                                const memory::KvCacheShape& content,
                                                                const Parts& parts);

  // Views of one layer's slot; a layer has one for good.
  [[nodiscard]] belay_tensor_t keys(std::uint32_t layer) { return slot_memory_.keys(layer % kSlots); }
  [[nodiscard]] belay_tensor_t values(std::uint32_t layer) { return slot_memory_.values(layer % kSlots); }
  // As of a KvCache of the same shape, whatever more there is room for.
  [[nodiscard]] std::uint64_t capacity() const { return capacity_; }

  // Before a node runs: if it is the first of its layer that touches the cache, all positions before the step
  // are there until release(). The step may begin before the end of what was seen: that forgets the rest.
  // kGeneral when the disk does not give back what was written, with the place; the disk's errors;
  // kFallbackForbidden; and what `stop` says.
  [[nodiscard]] Status acquire(std::size_t node, const Step& step, const Stop& stop);
  // After it ran: the last of its layer that touches the cache writes what the step filled. After an error
  // the layer is as it was before the step.
  [[nodiscard]] Status release(std::size_t node);

  [[nodiscard]] const KvUse& use() const { return use_; }

 private:
  static constexpr std::uint32_t kSlots = 2;
  static constexpr std::uint32_t kNoLayer = ~std::uint32_t{0};

  // Which layer's cache a node is the first, and the last, to touch.
  struct Touch {
    std::uint32_t begins = kNoLayer;
    std::uint32_t ends = kNoLayer;
  };
  struct Slot {
    std::uint64_t position = 0;  // of the step that it is filled for
    std::uint64_t blocks = 0;    // of every strip that come from the file
    bool taken = false;          // by the layer that runs
    AheadRead read;
  };

  KvStream(const memory::KvCacheShape& shape, const Parts& parts, memory::SpillFile file);
  void find_touches(const graph::Graph& graph);
  void open_for_plugin();

  void restart(std::uint32_t layer);
  void read_ahead();
  void start(std::uint32_t layer, std::uint64_t position);
  Status arrive(std::uint32_t layer, const Stop& stop);
  Status read_here(std::uint32_t layer);
  Status fell_back(const dispatch::Failure& failure);
  Status verify(std::uint32_t layer);
  Status repair(std::uint32_t layer, std::uint64_t strip, std::uint64_t block);
  Status store(std::uint32_t layer);
  Status write(std::uint32_t layer, std::uint64_t first, std::uint64_t count);
  void hash(std::uint32_t layer, std::uint64_t first, std::uint64_t count);
  void to_tail(std::uint32_t layer, std::uint64_t position);
  void from_tail(std::uint32_t layer, std::uint64_t position);

  [[nodiscard]] Slot& slot_of(std::uint64_t layer) { return slots_[layer % kSlots]; }
  [[nodiscard]] std::uint64_t block_index(std::uint32_t layer, std::uint64_t strip,
                                          std::uint64_t block) const {
    return (layer * strips_ + strip) * blocks_ + block;
  }
  [[nodiscard]] std::span<std::byte> in_slot(std::uint32_t layer, std::uint64_t strip, std::uint64_t block,
                                             std::uint64_t count);
  [[nodiscard]] std::byte* in_tail(std::uint32_t layer, std::uint64_t strip);

  Parts parts_;
  std::uint32_t layers_;
  std::uint64_t strips_;
  std::uint64_t row_bytes_;    // of one position in a strip
  std::uint64_t block_bytes_;  // of BELAY_KV_BLOCK positions
  std::uint64_t blocks_ = 0;   // of a strip
  std::uint64_t capacity_ = 0;
  std::vector<Touch> touches_;   // for each node
  memory::KvCache slot_memory_;  // of kSlots layers
  memory::KvCache tail_memory_;  // of all layers, one block each
  std::vector<Xxh3> hashes_;     // of every block in the file
  std::vector<Xxh3> seen_;       // of the blocks of one layer, as they are in its slot
  std::vector<belay_extent_t> extents_;
  std::vector<std::uint64_t> ends_;  // of each layer: positions before it are in the file or the tail
  memory::SpillFile file_;
  std::optional<dispatch::StorageFile> plugin_file_;
  std::uint64_t disk_block_bytes_ = 1;  // that it reads in
  std::array<Slot, kSlots> slots_;      // last, so that reads end first
  Step step_;
  // Counted over all passes: layer n of pass p is p * layers + n.
  std::uint64_t done_ = 0;     // released
  std::uint64_t started_ = 0;  // being read, or there
  KvUse use_;
};

}  // namespace belay::runtime
