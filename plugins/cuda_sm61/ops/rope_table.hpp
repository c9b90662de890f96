// What belay_rope_kv reads of a rope's description: how far each pair turns for each position, and which axis
// gives it its position. Pure.
#pragma once

#include <belay/op.h>

#include <cstdint>
#include <vector>

namespace belay::cuda {

// Pairs of floats, one a pair of elements: whole turns a position, the second what the first rounds off.
// `factors` are freq_factors, or null.
[[nodiscard]] std::vector<float> rope_turns(const belay_rope_attributes_t& rope, const float* factors);

[[nodiscard]] bool has_sections(const belay_rope_attributes_t& rope);
// The axis that gives pair `pair` its position; 0 without sections.
[[nodiscard]] std::uint8_t rope_axis(const belay_rope_attributes_t& rope, std::uint32_t pair);
// That of each pair.
[[nodiscard]] std::vector<std::uint8_t> rope_axes(const belay_rope_attributes_t& rope);

}  // namespace belay::cuda
