#include "tests/kernels/compare.hpp"

#include "core/base/format.hpp"
#include "tests/reference/quant.hpp"

#include <algorithm>
#include <cmath>

namespace belay::kernel_tests {

std::vector<double> decode(const Operand& operand, std::span<const std::uint8_t> bytes) {
  return reference::dequantise(operand.dtype, bytes).values;
}

Comparison compare(const Expectation& expectation, std::span<const double> actual) {
  Comparison result;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double expected = expectation.values[i];
    const double tolerance = expectation.tolerances[i];
    const double error = std::fabs(actual[i] - expected);
    bool fits = false;
    if (!std::isfinite(actual[i])) {
      fits = !std::isfinite(expected) || expectation.may_be_non_finite[i];
    } else if (std::isfinite(expected)) {
      fits = error <= tolerance;
      if (tolerance > 0.0) result.largest_ratio = std::max(result.largest_ratio, error / tolerance);
    }
    if (!fits && result.ok) {
      result.ok = false;
      result.problem = fmt::format("element {} is {:.9g}, expected {:.9g} within {:.3g} ({})", i, actual[i],
                                   expected, tolerance, expectation.name);
    }
  }
  return result;
}

double nmse(std::span<const double> reference, std::span<const double> actual) {
  double errors = 0.0;
  double squares = 0.0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    errors += (actual[i] - reference[i]) * (actual[i] - reference[i]);
    squares += reference[i] * reference[i];
  }
  return squares == 0.0 ? errors : errors / squares;
}

}  // namespace belay::kernel_tests
