// belay_rope_kv: rope and kv_write each alone, and everything between projections and attention at once.
#include "plugins/cuda_sm61/kernels/rope_params.h"
#include "plugins/cuda_sm61/ops/rope_table.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/plugins/cuda_sm61/kernels/emulated.hpp"
#include "tests/reference/ops.hpp"
#include "tests/reference/quant.hpp"
#include "tests/support/doctest.hpp"

#include <cmath>
#include <cstring>

namespace belay::cuda_tests {
namespace {

using kernel_tests::CacheShape;
using kernel_tests::Fill;
using kernel_tests::OpCase;
using kernel_tests::RopeShape;

void launch(const RopeKvParams& params, const emulator::Options& options) {
  const int warps = params.tokens * (params.query.heads + params.key.heads + params.value.heads);
  launch_kernel("belay_rope_kv", params, {blocks_of(static_cast<std::size_t>(warps), 4)}, options);
}

// A rotation's table in memory that a kernel reads.
struct Table {
  Table(const belay_rope_attributes_t& rope, const float* factors)
      : turns(cuda::rope_turns(rope, factors)), axes(cuda::rope_axes(rope)) {}
  void describe(const belay_rope_attributes_t& rope, RopeKvParams& params) const {
    params.turns = turns.as<float>();
    params.axes = cuda::has_sections(rope) ? axes.as<unsigned char>() : nullptr;
    params.rotary = static_cast<int>(rope.rotary_dim);
    params.adjacent = rope.style == BELAY_ROPE_ADJACENT ? 1 : 0;
  }
  GuardedMemory turns;
  GuardedMemory axes;
};

void check_rope(const RopeShape& shape, Fill fill = Fill::kNormal) {
  const OpCase op_case = kernel_tests::rope_case(shape, fill, new_seed());
  belay_rope_attributes_t rope{};
  std::memcpy(&rope, op_case.attributes.data(), sizeof rope);
  for (const bool in_place : {false, true}) {
    expect_right(op_case, "belay_rope_kv", [&](const Operands& operands, const emulator::Options& options) {
      const Table table(rope, operands.constant<float>(0));
      if (in_place)
        std::memcpy(operands.output<char>(0), operands.input<char>(0), op_case.inputs[0].bytes.size());
      RopeKvParams params{};
      table.describe(rope, params);
      params.query.from = in_place ? operands.output<float>(0) : operands.input<float>(0);
      params.query.to = operands.output<float>(0);
      params.query.heads = static_cast<int>(shape.heads);
      params.positions = operands.input<int>(1);
      params.tokens = static_cast<int>(shape.tokens);
      params.d = static_cast<int>(shape.d);
      launch(params, options);
    });
  }
}

TEST_CASE("rope: both styles, whole and partial rotations, every size") {
  for (const std::int32_t style : {BELAY_ROPE_ADJACENT, BELAY_ROPE_HALVES}) {
    for (const std::size_t d : {2, 6, 40, 64, 80, 128, 256}) {
      check_rope({.tokens = 3, .heads = 5, .d = d, .rotary_dim = d, .style = style});
      if (d > 4) check_rope({.tokens = 3, .heads = 5, .d = d, .rotary_dim = d / 4 * 2, .style = style});
    }
    for (const std::size_t tokens : {0, 1, 2, 9}) {
      check_rope({.tokens = tokens,
                  .heads = 3,
                  .style = style,
                  .theta = 1e6F,
                  .position_scale = 0.25F,
                  .freq_factors = true});
    }
  }
}

TEST_CASE("rope: positions in the hundreds of thousands keep their angles") {
  check_rope(
      {.tokens = 7, .heads = 2, .d = 128, .rotary_dim = 128, .theta = 5e5F, .max_position = 1'000'000});
}

TEST_CASE("rope: several axes, in sections and interleaved") {
  check_rope({.tokens = 4,
              .heads = 2,
              .d = 128,
              .rotary_dim = 128,
              .style = BELAY_ROPE_HALVES,
              .sections = {16, 24, 24, 0}});
  check_rope({.tokens = 4,
              .heads = 2,
              .d = 128,
              .rotary_dim = 128,
              .style = BELAY_ROPE_HALVES,
              .interleaved = true,
              .sections = {24, 20, 20, 0}});
  check_rope({.tokens = 3,
              .heads = 2,
              .d = 64,
              .rotary_dim = 64,
              .style = BELAY_ROPE_HALVES,
              .sections = {8, 8, 8, 8}});
}

TEST_CASE("rope: values at which kernels break") {
  for (const Fill fill :
       {Fill::kTiny, Fill::kHuge, Fill::kDenormal, Fill::kMixed, Fill::kZero, Fill::kNan, Fill::kInfinity}) {
    check_rope({.tokens = 3, .heads = 2}, fill);
  }
}

int cache_type(DType dtype) {
  if (dtype == DType::kQ8_0) return BELAY_ROPE_CACHE_Q8;
  return dtype == DType::kF16 ? BELAY_ROPE_CACHE_F16 : BELAY_ROPE_CACHE_F32;
}

void check_write(const CacheShape& asked, Fill fill = Fill::kNormal) {
  const CacheShape shape = kernel_tests::whole_blocks(asked);
  const OpCase op_case = kernel_tests::kv_write_case(shape, fill, new_seed());
  expect_right(op_case, "belay_rope_kv", [&](const Operands& operands, const emulator::Options& options) {
    RopeKvParams params{};
    params.key.from = operands.input<float>(0);
    params.value.from = operands.input<float>(1);
    params.key.heads = params.value.heads = static_cast<int>(shape.kv_heads);
    params.k_cache = operands.output<void>(0);
    params.v_cache = operands.output<void>(1);
    params.cache_type = cache_type(shape.dtype);
    params.blocks = static_cast<int>(op_case.outputs[0].shape[1]);
    params.position = static_cast<int>(shape.position);
    params.tokens = static_cast<int>(shape.tokens);
    params.d = static_cast<int>(shape.d);
    launch(params, options);
  });
}

TEST_CASE("kv_write: positions on both sides of a block's border, every value to the last bit") {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kQ8_0}) {
    for (const std::size_t position : {0, 1, 63, 64, 65, 200}) {
      for (const std::size_t tokens : {0, 1, 3, 70}) {
        check_write({.dtype = dtype, .tokens = tokens, .kv_heads = 3, .d = 20, .position = position});
      }
    }
    for (const Fill fill : {Fill::kTiny, Fill::kHuge, Fill::kDenormal, Fill::kMixed, Fill::kZero, Fill::kNan,
                            Fill::kInfinity}) {
      for (const std::size_t d : {1, 7, 64, 130}) {
        check_write({.dtype = dtype, .tokens = 5, .kv_heads = 2, .d = d, .position = 62}, fill);
      }
    }
  }
}

constexpr std::size_t kTokens = 5;
constexpr std::size_t kHeads = 6;
constexpr std::size_t kKvHeads = 2;
constexpr std::size_t kBlocks = 3;
constexpr std::size_t kPosition = 62;
constexpr float kEpsilon = 1e-6F;

// As the layer of a qwen3: queries and keys are normed head by head and turned, keys and values go into the
// cache.
struct Layer {
  explicit Layer(std::size_t size, std::int32_t style = BELAY_ROPE_HALVES) : d(size) {
    kernel_tests::Random random(new_seed());
    const auto floats = [&](std::size_t count) {
      return kernel_tests::make_floats(random, Fill::kNormal, count, d);
    };
    q = floats(kTokens * kHeads * d);
    k = floats(kTokens * kKvHeads * d);
    v = floats(kTokens * kKvHeads * d);
    q_norm = floats(d);
    k_norm = floats(d);
    for (std::size_t t = 0; t < kTokens; ++t) positions.push_back(static_cast<std::int32_t>(1000 + 3 * t));
    rope.style = style;
    rope.theta = 1e6F;
    rope.position_scale = 1.0F;
    rope.rotary_dim = static_cast<std::uint32_t>(d);
  }
  [[nodiscard]] std::vector<double> turned(const std::vector<float>& x, const std::vector<float>& norm,
                                           std::size_t heads) const {
    const reference::Rope spec{.adjacent = rope.style == BELAY_ROPE_ADJACENT, .theta = 1e6, .rotary_dim = d};
    const auto normed =
        reference::rms_norm(kernel_tests::to_doubles(x), kernel_tests::to_doubles(norm), double{kEpsilon});
    return reference::rope(spec, normed, heads, d, positions, kTokens, {});
  }

  std::size_t d;
  std::vector<float> q, k, v, q_norm, k_norm;
  std::vector<std::int32_t> positions;
  belay_rope_attributes_t rope{};
};

double largest_error(const std::vector<double>& expected, std::span<const double> actual) {
  double largest = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (std::isnan(expected[i])) continue;  // nothing was written there
    const double error = std::fabs(expected[i] - actual[i]);
    largest = error <= largest ? largest : error;
  }
  return largest;
}

std::vector<double> expected_cache(const std::vector<double>& rows, std::size_t d) {
  std::vector<double> cache(kKvHeads * kBlocks * 64 * d, std::nan(""));
  reference::kv_write(rows, kKvHeads, d, kPosition, cache);
  return cache;
}

void check_layer(const Layer& layer, DType dtype) {
  const std::size_t cache_bytes = kKvHeads * kBlocks * 64 * *row_bytes(dtype, layer.d);
  in_every_schedule("a whole layer", [&](const emulator::Options& options) {
    const GuardedMemory q(layer.q);
    const GuardedMemory k(layer.k);
    const GuardedMemory v(layer.v);
    const GuardedMemory q_norm(layer.q_norm);
    const GuardedMemory k_norm(layer.k_norm);
    const GuardedMemory positions(kernel_tests::to_bytes(std::span<const std::int32_t>(layer.positions)));
    const GuardedMemory k_cache(cache_bytes);
    const GuardedMemory v_cache(cache_bytes);
    const Table table(layer.rope, nullptr);
    RopeKvParams params{};
    table.describe(layer.rope, params);
    params.query = {q.as<float>(), q_norm.as<float>(), q.as<float>(), kHeads, 0};
    params.key = {k.as<float>(), k_norm.as<float>(), nullptr, kKvHeads, 0};
    params.value = {v.as<float>(), nullptr, nullptr, kKvHeads, 0};
    params.positions = positions.as<int>();
    params.k_cache = k_cache.as<void>();
    params.v_cache = v_cache.as<void>();
    params.cache_type = cache_type(dtype);
    params.blocks = kBlocks;
    params.position = kPosition;
    params.tokens = kTokens;
    params.d = static_cast<int>(layer.d);
    params.epsilon = kEpsilon;
    launch(params, options);

    // Half a unit of halves below 8; of q8_0 half a step of values below 8, and its scale's rounding.
    const double step = dtype == DType::kF16 ? 0x1p-11 * 8.0 : dtype == DType::kQ8_0 ? 8.0 / 250 : 0.0;
    const auto decoded = [&](const GuardedMemory& cache) {
      return reference::dequantise(dtype, cache.bytes()).values;
    };
    CHECK(largest_error(layer.turned(layer.q, layer.q_norm, kHeads), kernel_tests::to_doubles(q.floats())) <
          2e-5);
    CHECK(largest_error(expected_cache(layer.turned(layer.k, layer.k_norm, kKvHeads), layer.d),
                        decoded(k_cache)) < 2e-5 + step);
    CHECK(largest_error(expected_cache(kernel_tests::to_doubles(layer.v), layer.d), decoded(v_cache)) <=
          step);
    return joined({&q, &k_cache, &v_cache});
  });
}

TEST_CASE("norms of heads, rope and the cache's write in one launch") {
  for (const std::size_t d : {64, 80, 128}) {
    const Layer layer(d);
    for (const DType dtype : {DType::kF32, DType::kF16}) check_layer(layer, dtype);
    if (d % 32 == 0) check_layer(layer, DType::kQ8_0);
    if (d % 32 == 0) check_layer(Layer(d, BELAY_ROPE_ADJACENT), DType::kQ8_0);
  }
}

}  // namespace
}  // namespace belay::cuda_tests
