// The oracle against numbers worked out by hand and against properties that the formulas must have.
#include "tests/reference/ops.hpp"

#include "tests/support/doctest.hpp"

#include <cmath>
#include <limits>
#include <numbers>

namespace belay::reference {
namespace {

constexpr double kPi = std::numbers::pi;

bool near(double a, double b) { return std::fabs(a - b) < 1e-12; }

TEST_CASE("linear multiplies rows of the weight") {
  const Values x = {1, 2, 3, 4};        // [2, 2]
  const Values w = {1, 0, 0, 1, 1, 1};  // [3, 2]
  CHECK(linear(x, w, {}, {2, 3, 2}) == Values{1, 2, 3, 3, 4, 7});
  CHECK(linear(x, w, Values{10, 20, 30}, {2, 3, 2}) == Values{11, 22, 33, 13, 24, 37});
}

TEST_CASE("embed copies rows") {
  const Values table = {0, 1, 10, 11, 20, 21};
  const std::vector<std::int32_t> ids = {2, 0, -1, 2};
  CHECK(embed(table, 2, ids) == Values{20, 21, 0, 1, 0, 0, 20, 21});
}

TEST_CASE("quantised activations lie on the grid of their block") {
  Values x(33, 0.0);
  x[0] = -254.0;  // scale 2
  x[1] = 3.0;     // 1.5 steps: a tie
  x[2] = 5.0;     // 2.5 steps: a tie
  x[3] = 6.2;
  x[32] = 1.0;  // a short block with a scale of its own
  const QuantisedActivations q = quantise_activations(x, 33);
  CHECK(q.values[0] == -254.0);
  CHECK(q.doubt[1] == 2.0);
  CHECK(q.doubt[2] == 2.0);
  CHECK(q.values[3] == 6.0);
  CHECK(q.doubt[3] == 0.0);
  CHECK(near(q.values[32], 1.0));
  x[5] = std::numeric_limits<double>::infinity();
  CHECK(std::isnan(quantise_activations(x, 33).values[0]));
  CHECK(near(quantise_activations(x, 33).values[32], 1.0));
}

TEST_CASE("activations of 16 bits are in doubt by a share of their block's largest") {
  Values x(66, 1.0);
  x[3] = -32768.0;
  const Values doubt = q16_doubt(x, 33);
  CHECK(doubt[0] == 1.0);
  CHECK(doubt[31] == 1.0);
  CHECK(doubt[32] == 0x1p-15);
  CHECK(doubt[33] == 0x1p-15);
  CHECK(doubt.size() == 66);
}

TEST_CASE("norms") {
  const Values ones = {1, 1};
  const Values zeros = {0, 0};
  const Values rms = rms_norm(Values{3, 4}, ones, 0.0);
  CHECK(near(rms[0], 3.0 / std::sqrt(12.5)));
  CHECK(near(rms[1], 4.0 / std::sqrt(12.5)));
  const Values layer = layer_norm(Values{1, 3}, ones, Values{0, 5}, 0.0);
  CHECK(near(layer[0], -1.0));
  CHECK(near(layer[1], 6.0));
  CHECK(rms_norm(zeros, ones, 1e-6) == zeros);
}

TEST_CASE("rope turns the pairs of its style and copies the rest") {
  Rope rope_spec;
  rope_spec.rotary_dim = 4;
  rope_spec.theta = 1.0;  // every pair turns by p
  rope_spec.position_scale = kPi / 2.0;
  const Values x = {1, 2, 3, 4, 5};
  const std::vector<std::int32_t> position = {1};
  const Values halves = rope(rope_spec, x, 1, 5, position, 1, {});
  const Values expected_halves = {-3, -4, 1, 2, 5};
  for (std::size_t i = 0; i < 5; ++i) CHECK(near(halves[i], expected_halves[i]));
  rope_spec.adjacent = true;
  const Values adjacent = rope(rope_spec, x, 1, 5, position, 1, {});
  const Values expected_adjacent = {-2, 1, -4, 3, 5};
  for (std::size_t i = 0; i < 5; ++i) CHECK(near(adjacent[i], expected_adjacent[i]));
  const Values slowed =
      rope(rope_spec, x, 1, 5, position, 1, Values{1, 2});  // the second pair turns half as far
  CHECK(near(slowed[2], (3.0 - 4.0) / std::numbers::sqrt2));
}

TEST_CASE("interleaved sections of Qwen3-VL") {
  Rope rope_spec;
  rope_spec.interleaved = true;
  rope_spec.sections = {24, 20, 20, 0};
  CHECK(rope_axis(rope_spec, 0) == 0);
  CHECK(rope_axis(rope_spec, 1) == 1);
  CHECK(rope_axis(rope_spec, 2) == 2);
  CHECK(rope_axis(rope_spec, 58) == 1);  // 58 % 3 == 1, below 60
  CHECK(rope_axis(rope_spec, 61) == 0);  // past 3 * 20
  rope_spec.interleaved = false;
  CHECK(rope_axis(rope_spec, 23) == 0);
  CHECK(rope_axis(rope_spec, 24) == 1);
  CHECK(rope_axis(rope_spec, 44) == 2);
}

TEST_CASE("attention over one key returns its value, and over equal keys the mean") {
  Attention shape{.causal = true, .scale = 1.0, .heads = 2, .kv_heads = 1, .d = 2, .position = 0};
  Values k(std::size_t{2} * 64, 0.0);
  Values v(k.size(), 0.0);
  kv_write(Values{1, 1, 1, 1}, 1, 2, 0, k);
  kv_write(Values{2, 4, 6, 8}, 1, 2, 0, v);
  const Values q = {1, 0, 0, 1, 1, 0, 0, 1};  // [2, 2, 2]
  CHECK(attention(shape, q, k, v).output == Values{2, 4, 2, 4, 4, 6, 4, 6});
  shape.causal = false;
  CHECK(attention(shape, q, k, v).output == Values{4, 6, 4, 6, 4, 6, 4, 6});
}

TEST_CASE("the cache keeps 64 positions in a block and heads apart") {
  CHECK(cache_index(0, 63, 3, 8) == 63 * 8);
  CHECK(cache_index(0, 64, 3, 8) == 64 * 8);
  CHECK(cache_index(1, 0, 3, 8) == 3 * 64 * 8);
}

TEST_CASE("activations at known points") {
  CHECK(silu(0.0) == 0.0);
  CHECK(near(silu(1.0), 0.7310585786300049));
  CHECK(near(gelu_erf(1.0), 0.8413447460685429));
  CHECK(std::fabs(gelu_tanh(1.0) - 0.8411919906082768) < 1e-12);
}

}  // namespace
}  // namespace belay::reference
