#include "tests/kernels/expect_pass.hpp"
#include "tests/support/doctest.hpp"

namespace belay::kernel_tests {
namespace {

constexpr DType kTableTypes[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                                 DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                                 DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};

std::string group(DType dtype) { return "embed " + std::string(to_string(dtype)); }

TEST_CASE("embed: rows of every type") {
  for (const DType dtype : kTableTypes) {
    for (const std::size_t tokens : {0, 1, 2, 3, 17, 64}) {
      for (const std::size_t blocks : {1, 3}) {
        const std::size_t width =
            info(dtype).block_elems == 1 ? 30 * blocks + 1 : blocks * info(dtype).block_elems;
        expect_pass(embed_case(dtype, tokens, width, 41, WeightFill::kNormal, next_seed()), group(dtype));
      }
    }
  }
}

TEST_CASE("embed: extreme scales, and a bad scale reaches only its own row") {
  for (const DType dtype : kTableTypes) {
    for (const WeightFill fill :
         {WeightFill::kExtreme, WeightFill::kMinus128, WeightFill::kNanScale, WeightFill::kInfiniteScale}) {
      expect_pass(embed_case(dtype, 9, 2 * std::size_t{info(dtype).block_elems}, 3, fill, next_seed()),
                  group(dtype));
    }
  }
}

}  // namespace
}  // namespace belay::kernel_tests
