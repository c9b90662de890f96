// Attention for few tokens and for many: sizes, groupings, positions, both caches, with a mask and without.
#include "plugins/cuda_sm61/kernels/attention_params.h"
#include "plugins/cuda_sm61/kernels/linear_params.h"
#include "tests/kernels/cases.hpp"
#include "tests/plugins/cuda_sm61/kernels/emulated.hpp"
#include "tests/support/doctest.hpp"

#include <cmath>

namespace belay::cuda_tests {
namespace {

using kernel_tests::CacheShape;
using kernel_tests::Fill;
using kernel_tests::OpCase;

constexpr DType kCaches[] = {DType::kF32, DType::kF16, DType::kQ8_0};

const char* cache_name(DType dtype) {
  if (dtype == DType::kQ8_0) return "q8";
  return dtype == DType::kF16 ? "f16" : "f32";
}

std::string decode_kernel(const CacheShape& shape, bool any) {
  const bool fixed = !any && (shape.d == 64 || shape.d == 128);
  return std::string("belay_attention_decode_") + cache_name(shape.dtype) + "_" +
         (fixed ? std::to_string(shape.d) : "any");
}

AttentionParams params_of(const CacheShape& shape, const OpCase& op_case, const Operands& operands) {
  AttentionParams params{};
  params.q = operands.input<float>(0);
  params.k_cache = operands.input<void>(1);
  params.v_cache = operands.input<void>(2);
  params.y = operands.output<float>(0);
  params.tokens = static_cast<int>(shape.tokens);
  params.heads = static_cast<int>(shape.heads);
  params.kv_heads = static_cast<int>(shape.kv_heads);
  params.d = static_cast<int>(shape.d);
  params.blocks = static_cast<int>(op_case.inputs[1].shape[1]);
  params.position = static_cast<int>(shape.position);
  params.keys = static_cast<int>(shape.position + shape.tokens);
  params.causal = shape.causal ? 1 : 0;
  params.scale = 1.0F / std::sqrt(static_cast<float>(shape.d));
  return params;
}

void launch_decode(const std::string& kernel, AttentionParams params, const CacheShape& shape,
                   const emulator::Options& options) {
  const std::size_t groups = blocks_of(shape.heads / shape.kv_heads, BELAY_ATTENTION_GROUP);
  const emulator::Extent grid{
      blocks_of(shape.position + shape.tokens, static_cast<std::size_t>(params.split_keys)),
      static_cast<std::uint32_t>(shape.kv_heads * groups), static_cast<std::uint32_t>(shape.tokens)};
  const std::size_t units = std::size_t{grid.y} * grid.z;
  const GuardedMemory parts(units * grid.x * BELAY_ATTENTION_GROUP * (shape.d + 2) * sizeof(float));
  const GuardedMemory counters(std::vector<float>(units, 0.0F));
  params.parts = grid.x > 1 ? parts.as<float>() : nullptr;
  params.counters = grid.x > 1 ? counters.as<unsigned>() : nullptr;
  launch_kernel(kernel, params, grid, options);
  CHECK(counters.floats() == std::vector<float>(units, 0.0F));  // for the next launch
  CHECK(parts.intact());
}

void decode(const OpCase& op_case, const CacheShape& shape, int split_keys, bool any) {
  const std::string kernel = decode_kernel(shape, any);
  expect_right(op_case, kernel, [&](const Operands& operands, const emulator::Options& options) {
    AttentionParams params = params_of(shape, op_case, operands);
    params.split_keys = split_keys;
    launch_decode(kernel, params, shape, options);
  });
}

// Rows of 32 values of the outputs: low and high bytes and scales, by belay_linear_quantise or by the
// attention itself.
struct QuantisedRows {
  explicit QuantisedRows(std::size_t blocks) : low(16 * blocks), high(16 * blocks), scales(8 * blocks) {}
  template <class Params>
  void point(Params& params) const {
    params.low = low.as<signed char>();
    params.high = high.as<signed char>();
    params.scales = scales.as<float>();
  }
  GuardedMemory low;
  GuardedMemory high;
  GuardedMemory scales;
};

std::vector<std::uint8_t> quantised_afterwards(const Operands& operands, std::size_t blocks) {
  const QuantisedRows rows(blocks);
  LinearQuantiseParams params{};
  params.x = operands.output<float>(0);
  params.blocks = static_cast<long long>(blocks);
  rows.point(params);
  launch_kernel("belay_linear_quantise", params, {blocks_of(blocks, BELAY_LINEAR_QUANTISE_BLOCKS), 1, 1}, {});
  return joined({&rows.low, &rows.high, &rows.scales});
}

// `at_once`: tokens of a launch.
void prefill(const OpCase& op_case, const CacheShape& shape, int size, std::size_t at_once) {
  const std::string kernel =
      std::string("belay_attention_prefill_") + cache_name(shape.dtype) + "_" + std::to_string(size);
  expect_right(op_case, kernel, [&](const Operands& operands, const emulator::Options& options) {
    for (std::size_t first = 0; first < shape.tokens; first += at_once) {
      AttentionParams params = params_of(shape, op_case, operands);
      const std::size_t tokens = std::min(at_once, shape.tokens - first);
      params.tokens = static_cast<int>(tokens);
      params.position += static_cast<int>(first);
      params.q += first * shape.heads * shape.d;
      params.y += first * shape.heads * shape.d;
      const emulator::Extent grid{blocks_of(tokens * shape.heads / shape.kv_heads, BELAY_ATTENTION_ROWS),
                                  static_cast<std::uint32_t>(shape.kv_heads)};
      launch_kernel(kernel, params, grid, options);
    }
  });
}

// The kernel that a host would take for so many tokens, or both where either could be taken.
void check(const CacheShape& asked, Fill fill = Fill::kNormal, bool bad_key = false) {
  const CacheShape shape = kernel_tests::whole_blocks(asked);
  const OpCase op_case = kernel_tests::attention_case(shape, fill, bad_key, new_seed());
  if (shape.tokens <= 8) decode(op_case, shape, BELAY_ATTENTION_SPLIT, false);
  if (shape.tokens == 2 || shape.tokens > 8)
    prefill(op_case, shape, shape.d <= 64 ? 64 : shape.d <= 128 ? 128 : 256, shape.tokens);
}

template <class Body>
void for_each_kind(Body body) {
  for (const DType dtype : kCaches) {
    for (const bool causal : {true, false}) body(dtype, causal);
  }
}

TEST_CASE("attention: every size of a head") {
  for (const DType dtype : kCaches) {
    for (const std::size_t d : {1, 2, 7, 24, 40, 64, 65, 80, 96, 128, 130, 200, 256}) {
      check({.dtype = dtype, .tokens = 2, .heads = 3, .kv_heads = 1, .d = d, .position = 150});
    }
  }
}

void check_quantised_at_once(const CacheShape& shape) {
  const OpCase op_case = kernel_tests::attention_case(shape, Fill::kNormal, false, new_seed());
  const Operands operands(op_case);
  const std::string kernel = decode_kernel(shape, false);
  AttentionParams params = params_of(shape, op_case, operands);
  params.split_keys = BELAY_ATTENTION_SPLIT;
  launch_decode(kernel, params, shape, {});
  const std::size_t blocks = shape.tokens * shape.heads * shape.d / 32;
  const std::vector<std::uint8_t> expected = quantised_afterwards(operands, blocks);
  params.y = nullptr;
  const auto at_once = in_every_schedule(op_case.label, [&](const emulator::Options& options) {
    const QuantisedRows rows(blocks);
    rows.point(params);
    launch_decode(kernel, params, shape, options);
    CHECK(rows.low.intact());
    CHECK(rows.high.intact());
    CHECK(rows.scales.intact());
    return joined({&rows.low, &rows.high, &rows.scales});
  });
  CHECK(at_once == expected);
}

TEST_CASE("attention: results that are quantised at once are those that are quantised afterwards") {
  for (const DType dtype : kCaches) {
    for (const std::size_t d : {32, 64, 96, 128, 256}) {
      for (const std::size_t position : {5, 300}) {  // one split, and several
        check_quantised_at_once(
            {.dtype = dtype, .tokens = 2, .heads = 6, .kv_heads = 1, .d = d, .position = position});
      }
    }
  }
}

TEST_CASE("attention: kernels made for larger heads, and longer splits") {
  for (const DType dtype : kCaches) {
    const CacheShape shape{.dtype = dtype, .tokens = 3, .heads = 4, .kv_heads = 2, .d = 64, .position = 300};
    const OpCase op_case = kernel_tests::attention_case(shape, Fill::kNormal, false, new_seed());
    decode(op_case, shape, BELAY_ATTENTION_SPLIT, true);
    for (const int splits : {2, 3, 4}) decode(op_case, shape, splits * BELAY_ATTENTION_SPLIT, false);
    for (const int size : {128, 256}) prefill(op_case, shape, size, shape.tokens);
  }
}

TEST_CASE("attention: query heads that share a key head") {
  for (const DType dtype : kCaches) {
    for (const std::size_t sharing : {1, 2, 3, 5, 8}) {
      for (const std::size_t kv_heads : {1, 3}) {
        check({.dtype = dtype,
               .tokens = 2,
               .heads = sharing * kv_heads,
               .kv_heads = kv_heads,
               .d = 64,
               .position = 130});
      }
    }
  }
}

TEST_CASE("attention: positions and numbers of tokens around the borders of blocks, steps and splits") {
  for_each_kind([](DType dtype, bool causal) {
    for (const std::size_t position : {0, 1, 31, 63, 64, 127, 128, 129, 300}) {
      for (const std::size_t tokens : {0, 1, 2, 33}) {
        check({.dtype = dtype,
               .tokens = tokens,
               .heads = 4,
               .kv_heads = 2,
               .d = 24,
               .position = position,
               .causal = causal});
      }
    }
  });
}

TEST_CASE("attention: many rows, over the borders of a block's rows") {
  for_each_kind([](DType dtype, bool causal) {
    for (const std::size_t tokens : {21, 22, 43, 64}) {
      check({.dtype = dtype,
             .tokens = tokens,
             .heads = 6,
             .kv_heads = 2,
             .d = 40,
             .position = 3,
             .causal = causal});
    }
    check(
        {.dtype = dtype, .tokens = 70, .heads = 2, .kv_heads = 2, .d = 128, .position = 0, .causal = causal});
    check({.dtype = dtype,
           .tokens = 17,
           .heads = 4,
           .kv_heads = 2,
           .d = 256,
           .position = 61,
           .causal = causal});
  });
}

TEST_CASE("attention: many rows in several launches, each of which sees all keys") {
  for_each_kind([](DType dtype, bool causal) {
    const CacheShape shape = kernel_tests::whole_blocks(
        {.dtype = dtype, .tokens = 40, .heads = 4, .kv_heads = 2, .d = 40, .position = 5, .causal = causal});
    prefill(kernel_tests::attention_case(shape, Fill::kNormal, false, new_seed()), shape, 64, 32);
  });
}

TEST_CASE("attention: values at which kernels break") {
  for (const DType dtype : kCaches) {
    for (const Fill fill :
         {Fill::kTiny, Fill::kDenormal, Fill::kMixed, Fill::kZero, Fill::kNan, Fill::kInfinity}) {
      for (const bool bad_key : {false, true}) {
        check({.dtype = dtype, .tokens = 5, .heads = 4, .kv_heads = 2, .d = 24, .position = 130}, fill,
              bad_key);
        check({.dtype = dtype, .tokens = 40, .heads = 4, .kv_heads = 2, .d = 20, .position = 61}, fill,
              bad_key);
      }
    }
  }
}

}  // namespace
}  // namespace belay::cuda_tests
