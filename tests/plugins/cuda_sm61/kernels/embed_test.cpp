// belay_embed for every type of a table, and belay_argmax.
#include "plugins/cuda_sm61/kernels/argmax_params.h"
#include "plugins/cuda_sm61/kernels/embed_params.h"
#include "tests/kernels/cases.hpp"
#include "tests/plugins/cuda_sm61/kernels/emulated.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace belay::cuda_tests {
namespace {

using kernel_tests::OpCase;
using kernel_tests::WeightFill;

constexpr DType kTypes[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                            DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                            DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};

void check(DType dtype, std::size_t tokens, std::size_t width, WeightFill fill) {
  const std::size_t vocab = 11;
  const OpCase op_case = kernel_tests::embed_case(dtype, tokens, width, vocab, fill, new_seed());
  expect_right(op_case, "belay_embed", [&](const Operands& operands, const emulator::Options& options) {
    EmbedParams params{};
    params.table = operands.constant<void>(0);
    params.ids = operands.input<int>(0);
    params.y = operands.output<float>(0);
    params.row_bytes = static_cast<long long>(op_case.constants[0].bytes.size() / vocab);
    params.width = static_cast<int>(width);
    params.vocab = static_cast<int>(vocab);
    params.type = static_cast<int>(dtype);
    launch_kernel("belay_embed", params, {static_cast<std::uint32_t>(tokens)}, options);
  });
}

TEST_CASE("embed: every type, rows longer and shorter than a block of threads") {
  for (const DType dtype : kTypes) {
    const std::size_t unit = info(dtype).block_elems;
    for (const std::size_t units : {1, 3, 9}) {
      for (const WeightFill fill : {WeightFill::kNormal, WeightFill::kExtreme, WeightFill::kMinus128,
                                    WeightFill::kNanScale, WeightFill::kInfiniteScale}) {
        check(dtype, 5, units * unit, fill);
      }
    }
  }
}

TEST_CASE("embed: an id of no row gives zeros") {
  const std::vector<std::int32_t> ids = {1, -1, 2, -7, 1'000'000};
  const std::vector<float> table = {1, 2, 3, 4, 5, 6};
  const GuardedMemory rows(table);
  const GuardedMemory id_memory(kernel_tests::to_bytes(std::span<const std::int32_t>(ids)));
  const GuardedMemory y(ids.size() * 3 * sizeof(float));
  const EmbedParams params{rows.as<void>(), id_memory.as<int>(), y.as<float>(), 12, 3, 2, 0, 0};
  launch_kernel("belay_embed", params, {5}, {});
  CHECK(y.floats() == std::vector<float>{4, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
}

std::vector<std::int32_t> argmax(const std::vector<float>& x, std::size_t rows, std::uint32_t parts) {
  const auto bytes = in_every_schedule("argmax", [&](const emulator::Options& options) {
    const GuardedMemory values(x);
    const GuardedMemory indices(rows * sizeof(int));
    const GuardedMemory part_values(rows * parts * sizeof(float));
    const GuardedMemory part_indices(rows * parts * sizeof(int));
    const GuardedMemory counters(std::vector<float>(rows, 0.0F));
    const ArgmaxParams params{.x = values.as<float>(),
                              .indices = indices.as<int>(),
                              .part_values = parts > 1 ? part_values.as<float>() : nullptr,
                              .part_indices = parts > 1 ? part_indices.as<int>() : nullptr,
                              .counters = parts > 1 ? counters.as<unsigned>() : nullptr,
                              .n = static_cast<int>(x.size() / rows),
                              .reserved = 0};
    launch_kernel("belay_argmax", params, {parts, static_cast<std::uint32_t>(rows)}, options);
    CHECK(counters.floats() == std::vector<float>(rows, 0.0F));
    return joined({&indices});
  });
  std::vector<std::int32_t> result(rows);
  std::memcpy(result.data(), bytes.data(), bytes.size());
  return result;
}

TEST_CASE("argmax: the first of the largest, whatever the parts") {
  kernel_tests::Random random(new_seed());
  for (const std::size_t n : {1, 32, 257, 1500}) {
    constexpr std::size_t kRows = 3;
    auto x = kernel_tests::make_floats(random, kernel_tests::Fill::kNormal, kRows * n, n);
    if (n > 100) x[n + 90] = x[n + 40] = x[n + 3] = 100.0F;  // ties, of different threads
    std::vector<std::int32_t> expected;
    for (std::size_t row = 0; row < kRows; ++row) {
      const auto first = x.begin() + static_cast<std::ptrdiff_t>(row * n);
      expected.push_back(
          static_cast<std::int32_t>(std::max_element(first, first + static_cast<std::ptrdiff_t>(n)) - first));
    }
    for (const std::uint32_t parts : {1U, 2U, 7U, 70U}) CHECK(argmax(x, kRows, parts) == expected);
  }
}

TEST_CASE("argmax: NaNs do not win, nor infinity lose") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const std::uint32_t parts : {1U, 3U}) {
    CHECK(argmax({nan, nan, -5, nan, -4, nan}, 1, parts) == std::vector<std::int32_t>{4});
    CHECK(argmax({-infinity, -infinity}, 1, parts) == std::vector<std::int32_t>{0});
    CHECK(argmax({1, infinity, 3}, 1, parts) == std::vector<std::int32_t>{1});
    CHECK(argmax({nan, nan}, 1, parts) == std::vector<std::int32_t>{0});
  }
}

}  // namespace
}  // namespace belay::cuda_tests
