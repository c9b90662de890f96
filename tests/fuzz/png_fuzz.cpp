// Any bytes as a PNG file: refused with a reason, or an image that can be preprocessed. Mutations keep the
// checksums right, for nothing behind a wrong one is read.
#include "tests/core/images/raw_png.hpp"
#include "tests/fuzz/image_check.hpp"

#include <algorithm>
#include <string>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned int /*seed*/) {
  const std::size_t mutated = LLVMFuzzerMutate(data, size, max_size);
  const std::string bytes = belay::test::with_right_checksums(std::string(data, data + mutated));
  std::copy(bytes.begin(), bytes.end(), data);
  return mutated;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  belay::test::check_image(std::as_bytes(std::span(data, size)), "fuzz.png");
  return 0;
}
