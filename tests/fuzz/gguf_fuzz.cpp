// Any bytes as a GGUF file: refused with an error, or everything it offers can be read.
#include "core/formats/gguf.hpp"
#include "tests/support/gguf_walk.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = belay::formats::GgufFile::parse(std::as_bytes(std::span(data, size)), "fuzz.gguf");
  if (!file.ok()) return 0;
  // The sum keeps the reads from being optimised away; no real file reaches the largest number.
  return belay::test::walk(*file) == ~std::uint64_t{0} ? -1 : 0;
}
