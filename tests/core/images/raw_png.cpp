#include "tests/core/images/raw_png.hpp"

#include <algorithm>

namespace belay::test {
namespace {

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (const unsigned shift : {24U, 16U, 8U, 0U}) bytes.push_back(static_cast<char>(value >> shift & 0xFFU));
  return bytes;
}

std::uint32_t crc32(std::string_view data) {
  std::uint32_t crc = ~0U;
  for (const char byte : data) {
    crc ^= static_cast<std::uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1U ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

std::uint32_t adler32(std::string_view data) {
  std::uint32_t a = 1, b = 0;
  for (const char byte : data) {
    a = (a + static_cast<std::uint8_t>(byte)) % 65'521;
    b = (b + a) % 65'521;
  }
  return b << 16U | a;
}

}  // namespace

std::string raw(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) bytes.push_back(static_cast<char>(value));
  return bytes;
}

std::string stored_zlib(std::string_view data) {
  constexpr std::size_t kMostInBlock = 65'535;
  const std::uint32_t sum = adler32(data);
  std::string stream = raw({0x78, 0x01});
  do {
    const std::string_view block = data.substr(0, kMostInBlock);
    data.remove_prefix(block.size());
    const int low = static_cast<int>(block.size() & 0xFFU), high = static_cast<int>(block.size() >> 8U);
    stream += raw({data.empty() ? 1 : 0, low, high, ~low, ~high});
    stream += block;
  } while (!data.empty());
  return stream + big_endian(sum);
}

std::string with_right_checksums(std::string png) {
  constexpr std::size_t kSignature = 8, kAround = 12;  // a chunk's length, type and checksum
  std::size_t at = kSignature;
  while (at + kAround <= png.size()) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8U | static_cast<std::uint8_t>(png[at + i]);
    if (length > png.size() - at - kAround) return png;
    png.replace(at + 8 + length, 4, big_endian(crc32(std::string_view(png).substr(at + 4, 4 + length))));
    at += kAround + length;
  }
  return png;
}

RawPng::RawPng() : bytes_("\x89PNG\r\n\x1A\n") {}

RawPng& RawPng::header(std::uint32_t width, std::uint32_t height, std::uint8_t bit_depth, std::uint8_t colour,
                       std::uint8_t interlace) {
  return chunk("IHDR", big_endian(width) + big_endian(height) + raw({bit_depth, colour, 0, 0, interlace}));
}

RawPng& RawPng::chunk(std::string_view type, std::string_view data) {
  const std::string checked = std::string(type) + std::string(data);
  bytes_ += big_endian(static_cast<std::uint32_t>(data.size())) + checked + big_endian(crc32(checked));
  return *this;
}

RawPng& RawPng::pixels(std::string_view rows) { return chunk("IDAT", stored_zlib(rows)); }

}  // namespace belay::test
