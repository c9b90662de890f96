// A tile of weights in fewer bytes. Exponents are much alike and mantissas are noise, so the bytes of numbers
// are put apart before zstd sees them: first the lowest of each, then the next. One thread at a time.
#pragma once

#include "core/base/dtype.hpp"
#include "core/base/zstd.hpp"
#include "core/memory/tile_hashes.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace belay::memory {

// Of numbers of this type how many bytes are put apart: 1, 2 or 4. Blocks stay as they are: zstd leaves 94 to
// 99 % of them either way.
[[nodiscard]] std::size_t number_bytes(DType dtype);

class TilePacker {
 public:
  // At most TileHashes::kTileBytes; `packed` becomes what is kept of them.
  void pack(std::span<const std::byte> tile, std::size_t number_bytes, std::vector<std::byte>& packed);

 private:
  std::vector<std::byte> apart_;
  ZstdPacker zstd_;
};

class TileUnpacker {
 public:
  static constexpr std::uint64_t kMemoryBytes =
      TileHashes::kTileBytes + (std::uint64_t{256} << 10U);  // about

  // Fills all of `tile`, or says false: then it is anything. Allocates nothing.
  [[nodiscard]] bool unpack(std::span<const std::byte> packed, std::size_t number_bytes,
                            std::span<std::byte> tile);

 private:
  std::vector<std::byte> apart_ = std::vector<std::byte>(TileHashes::kTileBytes);
  ZstdUnpacker zstd_;
};

}  // namespace belay::memory
