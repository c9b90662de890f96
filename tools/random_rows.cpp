#include "tools/random_rows.hpp"

#include <random>

namespace belay::make_model {
namespace {

constexpr std::uint64_t kStarts = std::uint64_t{1} << 20U;
constexpr std::uint64_t kSeed = 20251125;

// The sum of four even draws from -0.5 to 0.5, deviation sqrt(1/3), scaled so that the sum of two has
// deviation 1.
float draw(std::mt19937_64& random) {
  constexpr float kScale = 1.2247449F;  // sqrt(3/2)
  const std::uint64_t bits = random();
  float sum = 0;
  for (unsigned i = 0; i < 4; ++i) sum += static_cast<float>(bits >> (16 * i) & 0xFFFFU) / 65536.0F - 0.5F;
  return sum * kScale;
}

}  // namespace

RandomRows::RandomRows(std::size_t longest_row) : table_(kStarts + longest_row) {
  std::mt19937_64 random(kSeed);
  for (float& value : table_) value = draw(random);
}

void RandomRows::fill(std::uint64_t row, float mean, float spread, std::span<float> out) const {
  // Odd factors permute the starts: two rows have the same first start only if they lie a multiple of 2^20
  // apart, and then their second starts differ.
  const float* first = table_.data() + row * 0x9E3779B1U % kStarts;
  const float* second = table_.data() + (row * 0x85EBCA6BU + row / kStarts * 7919) % kStarts;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = mean + spread * (first[i] + second[i]);
}

}  // namespace belay::make_model
