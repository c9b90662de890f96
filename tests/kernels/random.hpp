// Numbers from a seed, the same on every machine and with every standard library (SplitMix64).
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace belay::kernel_tests {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }
  // [0, count)
  std::uint64_t below(std::uint64_t count) { return bits() % count; }
  // (0, 1]
  double unit() { return static_cast<double>((bits() >> 11) + 1) * 0x1p-53; }
  double normal() { return std::sqrt(-2.0 * std::log(unit())) * std::cos(2.0 * std::numbers::pi * unit()); }
  bool coin() { return (bits() & 1U) != 0; }

 private:
  std::uint64_t state_;
};

}  // namespace belay::kernel_tests
