// linear: every weight type, shape class, value class and numerics, on every plugin.
#include "tests/kernels/expect_pass.hpp"
#include "tests/kernels/some_tokens.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace belay::kernel_tests {
namespace {

constexpr DType kWeightTypes[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                                  DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                                  DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};
constexpr std::int32_t kNumerics[] = {BELAY_NUMERICS_F32, BELAY_NUMERICS_ACT_Q8, BELAY_NUMERICS_ACT_Q16};

std::string group(DType dtype, std::int32_t numerics) {
  constexpr const char* kNames[] = {" f32", " act_q8", " act_q16"};
  return std::string("linear ") + std::string(to_string(dtype)) + kNames[numerics];
}

// Around vector widths and unrolled loops for plain types; one, few and many blocks otherwise.
std::vector<std::size_t> sizes_of_k(DType dtype) {
  if (info(dtype).block_elems == 1) return {1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 257, 1031};
  if (info(dtype).block_elems == 32) return {32, 64, 96, 160, 576, 1536, 4128};
  return {256, 512, 768, 2304};
}

void check(DType dtype, std::int32_t numerics, const LinearShape& shape, Fill fill,
           WeightFill weights = WeightFill::kNormal) {
  expect_pass(linear_case(dtype, numerics, shape, fill, weights, next_seed()), group(dtype, numerics));
}

template <class Body>
void for_each_type(Body body) {
  for (const DType dtype : kWeightTypes) {
    for (const std::int32_t numerics : kNumerics) body(dtype, numerics);
  }
}

TEST_CASE("linear: every length of a row") {
  for_each_type([](DType dtype, std::int32_t numerics) {
    for (const std::size_t k : sizes_of_k(dtype)) {
      check(dtype, numerics, {.tokens = 1, .k = k, .n = 5}, Fill::kNormal);
      check(dtype, numerics, {.tokens = 3, .k = k, .n = 9}, Fill::kNormal);
    }
  });
}

TEST_CASE("linear: every number of outputs") {
  for_each_type([](DType dtype, std::int32_t numerics) {
    const std::size_t k = info(dtype).block_elems == 1 ? 48 : info(dtype).block_elems;
    for (const std::size_t n : {0, 1, 2, 3, 4, 7, 8, 13, 16, 17, 31, 33, 67, 131}) {
      check(dtype, numerics, {.tokens = 1, .k = k, .n = n}, Fill::kNormal);
      check(dtype, numerics, {.tokens = 5, .k = k, .n = n, .bias = true}, Fill::kNormal);
    }
  });
}

TEST_CASE("linear: every number of tokens") {
  for_each_type([](DType dtype, std::int32_t numerics) {
    const std::size_t k = info(dtype).block_elems == 1 ? 65 : 2 * info(dtype).block_elems;
    for (const std::size_t tokens : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 17, 31, 64}) {
      check(dtype, numerics, {.tokens = tokens, .k = k, .n = 37, .bias = tokens % 2 == 1}, Fill::kNormal);
    }
  });
}

// Where the way to compute changes (64 tokens) and around its blocks: tiles of 6 tokens, panels of 8 or 16
// rows in blocks of 96, chunks of 512 along k.
TEST_CASE("linear: borders of the blocks for many tokens") {
  for_each_type([](DType dtype, std::int32_t numerics) {
    const std::size_t block = info(dtype).block_elems;
    for (const std::size_t tokens : {63, 64, 65, 66, 67, 68, 69, 73, 130}) {
      check(dtype, numerics,
            {.tokens = tokens, .k = block == 1 ? 19 : block, .n = 18, .bias = tokens % 2 == 1},
            Fill::kNormal);
    }
    for (const std::size_t n : {1, 7, 8, 9, 15, 16, 17, 95, 96, 97, 120})
      check(dtype, numerics, {.tokens = 64, .k = block == 1 ? 33 : block, .n = n, .bias = n % 2 == 0},
            Fill::kNormal);
    for (const std::size_t k : {511, 512, 513, 1024, 1030}) {
      check(dtype, numerics, {.tokens = 65, .k = (k + block - 1) / block * block, .n = 5, .bias = true},
            Fill::kNormal);
    }
  });
}

// cpu_openblas: gemv below 8 tokens in groups of 16 rows, gemm in tiles of 256 to 512 rows by 768 tokens.
TEST_CASE("linear: borders of the tiles for f32 weights") {
  for (const std::size_t tokens : {7, 8, 9}) {
    for (const std::size_t n : {15, 16, 17, 255, 256, 257, 513, 4097})
      check(DType::kF32, BELAY_NUMERICS_F32, {.tokens = tokens, .k = 21, .n = n, .bias = n % 2 == 0},
            Fill::kNormal);
  }
  for (const std::size_t tokens : {767, 768, 769, 1537}) {
    check(DType::kF32, BELAY_NUMERICS_F32, {.tokens = tokens, .k = 3, .n = 5, .bias = true}, Fill::kNormal);
    check(DType::kF32, BELAY_NUMERICS_F32, {.tokens = tokens, .k = 2, .n = 300}, Fill::kNormal);
  }
}

void check_packed_as_file(DType dtype, const LinearShape& shape) {
  const OpCase op_case =
      linear_case(dtype, BELAY_NUMERICS_F32, shape, Fill::kNormal, WeightFill::kNormal, next_seed());
  for (const auto& plugin : loaded_plugins()) {
    if (!plugin->offers(op_case)) continue;
    INFO(plugin->name(), ": ", op_case.label);
    CHECK(output_of(*plugin, op_case) == output_of(*plugin, op_case, Layout::kFile));
  }
}

TEST_CASE("linear: packed weights and the file's own give the same bits") {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_K}) {
    for (const std::size_t k : {256, 512, 1280}) {
      for (const std::size_t tokens : {1, 2, 7, 63, 64, 130})
        check_packed_as_file(dtype, {.tokens = tokens, .k = k, .n = 53, .bias = true});
    }
  }
}

TEST_CASE("linear: values at which kernels break, among many tokens") {
  for_each_type([](DType dtype, std::int32_t numerics) {
    const std::size_t k = info(dtype).block_elems == 1 ? 97 : info(dtype).block_elems;
    for (const Fill fill : {Fill::kTiny, Fill::kHuge, Fill::kMixed, Fill::kNan, Fill::kInfinity})
      check(dtype, numerics, {.tokens = 70, .k = k, .n = 19, .bias = true}, fill);
    for (const WeightFill fill : {WeightFill::kExtreme, WeightFill::kNanScale, WeightFill::kInfiniteScale})
      check(dtype, numerics, {.tokens = 70, .k = k, .n = 19}, Fill::kNormal, fill);
  });
}

TEST_CASE("linear: values at which kernels break") {
  for_each_type([](DType dtype, std::int32_t numerics) {
    const std::size_t k = info(dtype).block_elems == 1 ? 97 : 2 * info(dtype).block_elems;
    for (const Fill fill : {Fill::kTiny, Fill::kHuge, Fill::kDenormal, Fill::kMixed, Fill::kZero, Fill::kNan,
                            Fill::kInfinity}) {
      check(dtype, numerics, {.tokens = 1, .k = k, .n = 11}, fill);
      check(dtype, numerics, {.tokens = 6, .k = k, .n = 18, .bias = true}, fill);
    }
  });
}

TEST_CASE("linear: weights at which kernels break") {
  for_each_type([](DType dtype, std::int32_t numerics) {
    const std::size_t k = info(dtype).block_elems == 1 ? 64 : 4 * info(dtype).block_elems;
    for (const WeightFill fill :
         {WeightFill::kExtreme, WeightFill::kMinus128, WeightFill::kNanScale, WeightFill::kInfiniteScale}) {
      for (const std::size_t tokens : {1, 2, 7}) {
        check(dtype, numerics, {.tokens = tokens, .k = k, .n = 10}, Fill::kNormal, fill);
        check(dtype, numerics, {.tokens = tokens, .k = k, .n = 19, .bias = true}, Fill::kMixed, fill);
      }
    }
  });
}

TEST_CASE("linear: a row of no elements is refused or gives the bias") {
  for (const DType dtype : {DType::kF32, DType::kQ8_0}) {
    expect_pass(linear_case(dtype, BELAY_NUMERICS_F32, {.tokens = 2, .k = 0, .n = 3}, Fill::kNormal,
                            WeightFill::kNormal, next_seed()),
                "linear K=0", Need::kOptional);
  }
}

// A shape of at most 2^19 products, so that the plain reference stays quick; small and odd sizes are as
// likely as large ones.
LinearShape random_shape(Random& random, DType dtype) {
  const auto size_below = [&](std::uint64_t bits) {
    return 1 + random.below(std::uint64_t{1} << random.below(bits + 1));
  };
  const std::size_t block = info(dtype).block_elems;
  LinearShape shape{.tokens = size_below(7),
                    .k = block * size_below(block == 1    ? 11
                                            : block == 32 ? 6
                                                          : 3),
                    .n = size_below(9),
                    .bias = random.coin()};
  while (shape.tokens * shape.k * shape.n > (1U << 19)) {
    shape.tokens = (shape.tokens + 1) / 2;
    shape.n = (shape.n + 1) / 2;
  }
  return shape;
}

TEST_CASE("linear: shapes that nobody chose") {
  for_each_type([](DType dtype, std::int32_t numerics) {
    for (int i = 0; i < 30; ++i) {
      Random random(next_seed());
      const LinearShape shape = random_shape(random, dtype);
      const Fill fill = random.coin() ? Fill::kNormal : kFiniteFills[random.below(std::size(kFiniteFills))];
      check(dtype, numerics, shape, fill, random.below(4) == 0 ? WeightFill::kExtreme : WeightFill::kNormal);
    }
  });
}

// x with bytes between its rows that belong to nobody and decode to NaN.
void spread_rows(Operand& x, std::size_t padding) {
  const std::size_t rows = static_cast<std::size_t>(x.shape[0]);
  const std::size_t row_bytes = x.bytes.size() / rows;
  std::vector<std::uint8_t> apart(rows * (row_bytes + padding), 0xFF);
  for (std::size_t row = 0; row < rows; ++row) {
    std::copy_n(x.bytes.data() + row * row_bytes, row_bytes, apart.data() + row * (row_bytes + padding));
  }
  x.bytes = std::move(apart);
  x.row_padding = static_cast<std::int64_t>(padding);
}

TEST_CASE("linear: rows that lie apart are refused or read by their stride") {
  for (const DType dtype : {DType::kF32, DType::kQ4_0}) {
    OpCase op_case = linear_case(dtype, BELAY_NUMERICS_F32, {.tokens = 4, .k = 64, .n = 6}, Fill::kNormal,
                                 WeightFill::kNormal, next_seed());
    spread_rows(op_case.inputs[0], 64);
    expect_pass(op_case, "linear rows apart", Need::kOptional);
  }
}

}  // namespace
}  // namespace belay::kernel_tests
