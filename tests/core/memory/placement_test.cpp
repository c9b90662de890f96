#include "core/memory/placement.hpp"

#include "tests/support/doctest.hpp"

#include <random>

using namespace belay;  // NOLINT(google-build-using-namespace)
using belay::memory::LayerBytes;
using belay::memory::pin_layers;

TEST_CASE("layers that fit all stay, without a ring") {
  const std::vector<LayerBytes> layers(4, {100, 40});
  const auto placement = pin_layers(layers, 400);
  REQUIRE(placement.ok());
  CHECK(placement->pinned == 4);
  CHECK(placement->pinned_bytes == 400);
  CHECK(placement->ring_bytes == 0);
  CHECK(placement->streamed_bytes == 0);
}

TEST_CASE("a prefix stays beside a ring of two layers, the rest is streamed") {
  const std::vector<LayerBytes> layers(6, {100, 40});
  const auto placement = pin_layers(layers, 450);
  REQUIRE(placement.ok());
  CHECK(placement->pinned == 2);
  CHECK(placement->ring_bytes == 200);
  CHECK(placement->streamed_bytes == 400);
}

TEST_CASE("with less room the ring holds two matrices, then there is an error with the figures") {
  const std::vector<LayerBytes> layers(6, {100, 40});
  const auto small = pin_layers(layers, 120);
  REQUIRE(small.ok());
  CHECK(small->pinned == 0);
  CHECK(small->ring_bytes == 80);
  const auto none = pin_layers(layers, 79);
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().code == ErrorCode::kOutOfMemory);
  CHECK(none.error().message.find("40 bytes") != std::string::npos);
}

TEST_CASE(
    "as many of the last pinned layers are given up as free the bytes, beside the ring that they need") {
  const std::vector<LayerBytes> layers(8, {100, 40});
  const auto all = pin_layers(layers, 800);
  REQUIRE(all.ok());
  CHECK(memory::unpin_layers(layers, *all, 1).pinned == 5);  // a ring of two layers stands for three
  CHECK(memory::unpin_layers(layers, *all, 100).pinned == 5);
  CHECK(memory::unpin_layers(layers, *all, 101).pinned == 4);
  CHECK(memory::unpin_layers(layers, *all, 10'000).pinned == 0);
  const auto some = memory::unpin_layers(layers, *all, 100);
  CHECK(memory::unpin_layers(layers, some, 100).pinned == 4);
}

TEST_CASE("where streaming takes more than it frees, the layers stay") {
  const std::vector<LayerBytes> layers(2, {100, 40});
  const auto all = pin_layers(layers, 200);
  REQUIRE(all.ok());
  CHECK(memory::unpin_layers(layers, *all, 50).pinned == 2);
}

TEST_CASE("random layers: the room is kept, and one more layer would not fit") {
  std::mt19937 random(3);
  for (int round = 0; round < 500; ++round) {
    std::vector<LayerBytes> layers(1 + random() % 12);
    std::uint64_t all = 0;
    for (LayerBytes& layer : layers) {
      layer.largest = 1 + random() % 50;
      layer.all = layer.largest + random() % 100;
      all += layer.all;
    }
    const std::uint64_t room = random() % (all + 50);
    const auto placement = pin_layers(layers, room);
    if (!placement.ok()) continue;
    CAPTURE(round);
    REQUIRE(placement->pinned_bytes + placement->ring_bytes <= room);
    REQUIRE(placement->pinned_bytes + placement->streamed_bytes == all);
    REQUIRE((placement->streamed_bytes == 0) == (placement->pinned == layers.size()));
    if (room >= all) REQUIRE(placement->pinned == layers.size());
  }
}
