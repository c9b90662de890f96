// Judges one output against what the reference expects.
#pragma once

#include "tests/kernels/op_case.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace belay::kernel_tests {

// Elements of an f32 or f16 output as doubles.
[[nodiscard]] std::vector<double> decode(const Operand& operand, std::span<const std::uint8_t> bytes);

struct Comparison {
  bool ok = true;
  std::string problem;  // the first element that does not fit, in words
  double largest_ratio =
      0;  // largest |error| / tolerance over the finite elements, where the tolerance is not 0
};

// A non-finite expectation demands a non-finite element; a finite one demands an element within its
// tolerance, or, where the expectation allows it, a non-finite one. A finite wrong number never passes.
[[nodiscard]] Comparison compare(const Expectation& expectation, std::span<const double> actual);

// Sum of squared errors over sum of squares.
[[nodiscard]] double nmse(std::span<const double> reference, std::span<const double> actual);

}  // namespace belay::kernel_tests
