// Any bytes as a safetensors file: refused with an error, or everything it offers can be read.
#include "core/formats/safetensors.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file =
      belay::formats::SafetensorsFile::parse(std::as_bytes(std::span(data, size)), "fuzz.safetensors");
  if (!file.ok()) return 0;
  std::uint64_t sum = 0;
  for (const belay::formats::TensorView& tensor : file->tensors()) {
    for (const std::byte byte : tensor.data) sum += std::to_integer<std::uint64_t>(byte);
    sum += file->find(tensor.name) == &tensor ? 1 : 1'000'000;
  }
  for (const auto& [key, text] : file->attributes()) sum += file->attribute(key) ? text.size() : 0;
  // The sum keeps the reads from being optimised away; no real file reaches the largest number.
  return sum == ~std::uint64_t{0} ? -1 : 0;
}
