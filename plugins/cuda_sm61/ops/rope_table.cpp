#include "plugins/cuda_sm61/ops/rope_table.hpp"

#include <cmath>
#include <cstddef>
#include <numbers>

namespace belay::cuda {

std::vector<float> rope_turns(const belay_rope_attributes_t& rope, const float* factors) {
  const std::uint32_t pairs = rope.rotary_dim / 2;
  std::vector<float> turns(std::size_t{2} * pairs);
  for (std::uint32_t i = 0; i < pairs; ++i) {
    const double exponent = -2.0 * i / rope.rotary_dim;
    const double factor = factors == nullptr ? 1.0 : double{factors[i]};
    const double radians = double{rope.position_scale} * std::pow(double{rope.theta}, exponent) / factor;
    const double whole = radians / (2 * std::numbers::pi);
    turns[std::size_t{2} * i] = static_cast<float>(whole);
    turns[std::size_t{2} * i + 1] = static_cast<float>(whole - double{turns[std::size_t{2} * i]});
  }
  return turns;
}

bool has_sections(const belay_rope_attributes_t& rope) {
  return (rope.sections[0] | rope.sections[1] | rope.sections[2] | rope.sections[3]) != 0;
}

// Sections: qwen3_vl's interleaved order, or one after another.
std::uint8_t rope_axis(const belay_rope_attributes_t& rope, std::uint32_t pair) {
  if (!has_sections(rope)) return 0;
  if (rope.interleaved != 0) {
    if (pair % 3 == 1 && pair < 3 * std::uint64_t{rope.sections[1]}) return 1;
    if (pair % 3 == 2 && pair < 3 * std::uint64_t{rope.sections[2]}) return 2;
    return 0;
  }
  std::uint64_t end = 0;
  for (std::uint8_t axis = 0; axis < 4; ++axis) {
    end += rope.sections[axis];
    if (pair < end) return axis;
  }
  return 0;
}

std::vector<std::uint8_t> rope_axes(const belay_rope_attributes_t& rope) {
  std::vector<std::uint8_t> axes(rope.rotary_dim / 2);
  for (std::uint32_t i = 0; i < axes.size(); ++i) axes[i] = rope_axis(rope, i);
  return axes;
}

}  // namespace belay::cuda
