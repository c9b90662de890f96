// Memory for the packed weights of one dispatcher. What the heads of its chains want is one block in large
// pages, which are read a third faster than small ones; what other links want when they are first needed
// comes apart. One thread at a time.
#pragma once

#include "core/base/status.hpp"
#include "core/memory/buffer.hpp"

#include <belay/ext/compute.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace belay::dispatch {

class PackedWeights {
 public:
  // What take() needs of a block for one weight.
  [[nodiscard]] static std::uint64_t room_for(const belay_packed_t& form);

  // The block, once, when there is memory for it: without, every weight asks for its own.
  void reserve(std::uint64_t bytes);

  // Memory for one weight, from the block while it lasts. It stays where it is until this object ends.
  // kOutOfMemory; kNoPlugin for an alignment that is no power of two or more than a page.
  [[nodiscard]] Result<std::span<std::byte>> take(const belay_packed_t& form);

  // Ends the use of what take() gave: whole pages of it go back to the system, until a weight of the same
  // size takes the place.
  void give_back(std::span<std::byte> taken);

  [[nodiscard]] std::uint64_t bytes() const;  // of all that was taken and not given back

 private:
  memory::Buffer block_;
  std::uint64_t used_ = 0;  // of the block
  std::vector<memory::Buffer> others_;
  std::vector<std::span<std::byte>> free_;  // what was given back, of the block and of others
};

}  // namespace belay::dispatch
