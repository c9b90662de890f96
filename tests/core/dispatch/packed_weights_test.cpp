// Memory for packed weights: one block for the heads, apart for what comes later.
#include "core/dispatch/packed_weights.hpp"

#include "tests/support/doctest.hpp"

namespace belay::dispatch {
namespace {

belay_packed_t form(std::uint64_t bytes, std::uint64_t alignment) {
  return {sizeof(belay_packed_t), 1, bytes, alignment, 0, 0};
}

std::uint64_t address(std::span<std::byte> memory) { return reinterpret_cast<std::uintptr_t>(memory.data()); }

TEST_CASE("what was reserved for lies in one block, aligned and apart") {
  const belay_packed_t forms[] = {form(100, 1), form(64, 256), form(7, 64)};
  PackedWeights weights;
  std::uint64_t room = 0;
  for (const belay_packed_t& one : forms) room += PackedWeights::room_for(one);
  weights.reserve(room);
  std::uint64_t end = 0;
  for (const belay_packed_t& one : forms) {
    const auto memory = weights.take(one);
    REQUIRE(memory.ok());
    CHECK(memory->size() == one.bytes);
    CHECK(address(*memory) % std::max<std::uint64_t>(one.alignment, 64) == 0);
    if (end != 0) CHECK(address(*memory) >= end);
    if (end != 0) CHECK(address(*memory) < end + 256);
    end = address(*memory) + memory->size();
  }
  CHECK(weights.bytes() >= 171);
  CHECK(weights.bytes() <= room);
}

TEST_CASE("what does not fit the block gets memory of its own, and both stay") {
  PackedWeights weights;
  weights.reserve(PackedWeights::room_for(form(100, 64)));
  const auto first = weights.take(form(100, 64));
  const auto second = weights.take(form(1000, 64));
  REQUIRE((first.ok() && second.ok()));
  (*first)[99] = std::byte{1};
  (*second)[999] = std::byte{2};
  CHECK((*first)[99] == std::byte{1});
  CHECK(weights.bytes() == 1100);
}

TEST_CASE("what was given back is taken by the next weight of its size, wherever it lies") {
  PackedWeights weights;
  weights.reserve(PackedWeights::room_for(form(100, 64)));
  const auto of_block = weights.take(form(100, 64));
  const auto of_its_own = weights.take(form(100, 64));
  REQUIRE((of_block.ok() && of_its_own.ok()));
  for (const auto& place : {*of_block, *of_its_own}) {
    weights.give_back(place);
    CHECK(weights.bytes() == 100);
    const auto other = weights.take(form(90, 64));
    REQUIRE(other.ok());
    CHECK(address(*other) != address(place));
    weights.give_back(*other);
    const auto again = weights.take(form(100, 64));
    REQUIRE(again.ok());
    CHECK(address(*again) == address(place));
    CHECK(weights.bytes() == 200);
  }
}

TEST_CASE("sizes beyond memory are refused where they are taken, not where they are reserved") {
  PackedWeights weights;
  const belay_packed_t absurd = form(~std::uint64_t{0}, 64);
  weights.reserve(PackedWeights::room_for(absurd));
  const auto none = weights.take(absurd);
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().code == ErrorCode::kOutOfMemory);
  CHECK(weights.take(form(10, 64)).ok());
}

TEST_CASE("an alignment holds wherever the memory comes from, more than once") {
  for (const bool reserved : {false, true}) {
    PackedWeights weights;
    if (reserved) weights.reserve(3 * PackedWeights::room_for(form(10, 4096)));
    for (int i = 0; i < 3; ++i) {
      const auto memory = weights.take(form(10, 4096));
      REQUIRE(memory.ok());
      CHECK(memory->size() == 10);
      CHECK(address(*memory) % 4096 == 0);
    }
  }
}

TEST_CASE("an alignment that is no power of two, or more than a page, is refused") {
  PackedWeights weights;
  for (const std::uint64_t alignment : {3U, 96U, 8192U}) CHECK_FALSE(weights.take(form(10, alignment)).ok());
  CHECK(weights.take(form(10, 0)).ok());
  CHECK(weights.take(form(10, 4096)).ok());
}

}  // namespace
}  // namespace belay::dispatch
