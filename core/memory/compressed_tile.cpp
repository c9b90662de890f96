#include "core/memory/compressed_tile.hpp"

#include <algorithm>

namespace belay::memory {
namespace {

// What is left behind the last whole number stays behind.
template <std::size_t Bytes>
void take_apart(std::span<const std::byte> numbers, std::byte* apart) {
  const std::size_t count = numbers.size() / Bytes;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < Bytes; ++k) apart[k * count + i] = numbers[Bytes * i + k];
  }
  std::copy(numbers.begin() + static_cast<std::ptrdiff_t>(count * Bytes), numbers.end(),
            apart + count * Bytes);
}

template <std::size_t Bytes>
void put_together(const std::byte* apart, std::span<std::byte> numbers) {
  const std::size_t count = numbers.size() / Bytes;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < Bytes; ++k) numbers[Bytes * i + k] = apart[k * count + i];
  }
  std::copy_n(apart + count * Bytes, numbers.size() - count * Bytes, numbers.data() + count * Bytes);
}

}  // namespace

std::size_t number_bytes(DType dtype) {
  const DTypeInfo& type = info(dtype);
  const bool is_number = type.block_elems == 1 && (type.block_bytes == 2 || type.block_bytes == 4);
  return is_number ? type.block_bytes : 1;
}

void TilePacker::pack(std::span<const std::byte> tile, std::size_t number_bytes,
                      std::vector<std::byte>& packed) {
  if (number_bytes == 1) return zstd_.pack(tile, packed);
  apart_.resize(tile.size());
  if (number_bytes == 2) take_apart<2>(tile, apart_.data());
  if (number_bytes == 4) take_apart<4>(tile, apart_.data());
  zstd_.pack(apart_, packed);
}

bool TileUnpacker::unpack(std::span<const std::byte> packed, std::size_t number_bytes,
                          std::span<std::byte> tile) {
  if (number_bytes == 1) return zstd_.unpack(packed, tile);
  const bool fits = tile.size() <= apart_.size() && (number_bytes == 2 || number_bytes == 4);
  if (!fits || !zstd_.unpack(packed, std::span(apart_).first(tile.size()))) return false;
  if (number_bytes == 2) put_together<2>(apart_.data(), tile);
  if (number_bytes == 4) put_together<4>(apart_.data(), tile);
  return true;
}

}  // namespace belay::memory
