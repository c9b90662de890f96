// What the two hash tables of this room share. Their keys come from a file, so a search takes a bounded
// number of steps: at most half full, an honest table never comes near the bound, and one made to collide is
// refused while it is filled.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace belay::tokenizer {

inline constexpr std::size_t kMaxProbes = 1024;

// Spreads every input bit over the upper half, which picks the slot (multiply and fold, the constant of
// splitmix64).
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t value) {
  value ^= value >> 32U;
  value *= 0x9E3779B97F4A7C15ULL;
  value ^= value >> 29U;
  value *= 0xBF58476D1CE4E5B9ULL;
  return value ^ (value >> 32U);
}

[[nodiscard]] constexpr std::size_t slot_count(std::size_t keys) { return std::bit_ceil(keys * 2 + 1); }

// The first slot from `hash` on for which `wanted` holds, or null after kMaxProbes steps.
template <class Slot, class Wanted>
[[nodiscard]] const Slot* probe_slots(const std::vector<Slot>& slots, std::uint64_t hash, Wanted wanted) {
  const std::size_t mask = slots.size() - 1;
  std::size_t at = (hash >> 32U) & mask;
  for (std::size_t step = 0; step < kMaxProbes; ++step, at = (at + 1) & mask) {
    if (wanted(slots[at])) return &slots[at];
  }
  return nullptr;
}

}  // namespace belay::tokenizer
