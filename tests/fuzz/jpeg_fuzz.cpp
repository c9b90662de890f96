// Any bytes as a JPEG file: refused with a reason, or an image that can be preprocessed.
#include "tests/fuzz/image_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  belay::test::check_image(std::as_bytes(std::span(data, size)), "fuzz.jpg");
  return 0;
}
