// A piece of an extent on its way from the disk, and the read that it belongs to: what a completion means for
// it, independent of how it came. Pure.
#pragma once

#include "plugins/nvme_offload/extents.hpp"
#include "plugins/nvme_offload/file.hpp"
#include "plugins/nvme_offload/rung.hpp"

#include <belay/status.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace belay::nvme {

struct Read;

struct Chunk {
  Read* read = nullptr;
  Chunk* next = nullptr;  // in a ChunkList
  std::byte* to = nullptr;
  std::uint64_t offset = 0;
  std::uint32_t bytes = 0;    // left to read, in whole blocks
  std::uint32_t wanted = 0;   // of those, in front of the end of the file
  std::uint32_t repeats = 0;  // because the system asked for it
  std::uint8_t failures = 0;
  Rung rung = Rung::kRegistered;  // by which it is read
};

// First in, first out, without allocating: nothing can fail between a completion and the next try.
class ChunkList {
 public:
  [[nodiscard]] Chunk* first() const { return first_; }
  void push(Chunk& chunk) {
    chunk.next = nullptr;
    (last_ != nullptr ? last_->next : first_) = &chunk;
    last_ = &chunk;
  }
  Chunk* pop() {
    Chunk* chunk = first_;
    first_ = chunk->next;
    if (first_ == nullptr) last_ = nullptr;
    return chunk;
  }

 private:
  Chunk* first_ = nullptr;
  Chunk* last_ = nullptr;
};

// Used again for another file once it ended, so that reading allocates nothing after a while.
struct Read {
  File* file = nullptr;
  std::vector<Chunk> chunks;
  std::array<std::size_t, 2> open{};  // chunks on each lane, waiting or in flight
  belay_error_t failure{};            // the first; BELAY_OK: none
  bool ended = false;

  [[nodiscard]] bool failed() const { return failure.code != BELAY_OK; }
  [[nodiscard]] bool done() const { return open[0] + open[1] == 0; }
};

// Makes `read` one of these extents, which passed check_extents. Nothing of it is queued yet.
void cut_into_chunks(Read& read, File& file, std::span<const belay_extent_t> extents);

// What is next for a chunk.
enum class Next : std::uint8_t {
  kDone,     // all of it is there
  kAgain,    // what is left of it is to be read
  kRefused,  // this way of reading does not work here
  kFailed,   // the read's failure says what happened
};
[[nodiscard]] Next judge(Chunk& chunk, std::int64_t result);

// Counts a failure of the chunk: kAgain, or kFailed after the third.
[[nodiscard]] Next count_failure(Chunk& chunk, int error_number);

}  // namespace belay::nvme
