#include "core/memory/compressed_tile.hpp"

#include "core/base/xxh3.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <cstring>
#include <random>

using namespace belay;          // NOLINT(google-build-using-namespace)
using namespace belay::memory;  // NOLINT(google-build-using-namespace)

namespace {

// As weights are: of one size, more or less.
std::vector<std::byte> bf16_weights(std::size_t bytes) {
  std::vector<std::byte> out(bytes);
  std::mt19937 random(7);
  std::normal_distribution<float> weight(0, 0.02F);
  for (std::size_t i = 0; i + 1 < bytes; i += 2) {
    const float value = weight(random);
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    out[i] = static_cast<std::byte>(bits >> 16U);
    out[i + 1] = static_cast<std::byte>(bits >> 24U);
  }
  return out;
}

}  // namespace

TEST_CASE("a tile of any size comes out as it went in, whatever its numbers are") {
  TilePacker packer;
  TileUnpacker unpacker;
  std::vector<std::byte> packed;
  std::vector<std::byte> out;
  std::mt19937 random(3);
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{5}, std::size_t{4096},
        std::size_t{70'001}, std::size_t{TileHashes::kTileBytes - 1}, std::size_t{TileHashes::kTileBytes}}) {
    for (const std::size_t number_bytes : {1U, 2U, 4U}) {
      CAPTURE(size);
      CAPTURE(number_bytes);
      std::vector<std::byte> tile = bf16_weights(size);
      if (size % 2 == 1) std::ranges::generate(tile, [&] { return static_cast<std::byte>(random()); });
      packer.pack(tile, number_bytes, packed);
      out.assign(size, std::byte{0xEE});
      REQUIRE(unpacker.unpack(packed, number_bytes, out));
      CHECK(out == tile);
    }
  }
}

TEST_CASE("weights in half precision get smaller, the more so with their bytes apart") {
  const std::vector<std::byte> tile = bf16_weights(TileHashes::kTileBytes);
  TilePacker packer;
  std::vector<std::byte> together;
  std::vector<std::byte> apart;
  packer.pack(tile, 1, together);
  packer.pack(tile, number_bytes(DType::kBF16), apart);
  CHECK(apart.size() < tile.size() * 3 / 4);
  CHECK(apart.size() < together.size());
}

TEST_CASE("what is damaged, cut or of another size is either refused or has another hash") {
  const std::vector<std::byte> tile = bf16_weights(100'000);
  TilePacker packer;
  TileUnpacker unpacker;
  std::vector<std::byte> packed;
  packer.pack(tile, 2, packed);
  std::vector<std::byte> out(tile.size());
  std::mt19937_64 random(11);
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::byte> wrong = packed;
    const std::uint64_t bit = random() % (8 * wrong.size());
    wrong[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    if (unpacker.unpack(wrong, 2, out)) CHECK(xxh3(out) != xxh3(tile));
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, packed.size() / 2, packed.size() - 1})
    CHECK_FALSE(unpacker.unpack(std::span(packed).first(size), 2, out));
  CHECK_FALSE(unpacker.unpack(packed, 2, std::span(out).first(out.size() - 1)));
  CHECK_FALSE(unpacker.unpack(packed, 3, out));
  std::vector<std::byte> larger(TileHashes::kTileBytes + 2);
  CHECK_FALSE(unpacker.unpack(packed, 2, larger));
}
