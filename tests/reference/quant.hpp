// Weight blocks as doubles, decoded plainly from the format's description and sharing no code with the
// kernels: the oracle for every dequantisation. Pure; any thread.
#pragma once

#include "core/base/dtype.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace belay::reference {

// IEEE half and bfloat16. Encoding rounds to nearest even, keeps denormals, overflows to infinity.
[[nodiscard]] double half_to_double(std::uint16_t bits);
[[nodiscard]] std::uint16_t double_to_half(double value);
[[nodiscard]] double bfloat16_to_double(std::uint16_t bits);
[[nodiscard]] std::uint16_t float_to_bfloat16(float value);

// What the rounding errors of an implementation are relative to. `magnitudes`: |scale * q| + |minimum|,
// because a kernel may add the two in any order. `split_magnitudes`: the same with |scale * (q - offset)|
// taken apart into |scale| * (q + offset), for kernels that multiply unsigned quants as integers and subtract
// the offset's share at the end.
struct Dequantised {
  std::vector<double> values;
  std::vector<double> magnitudes;
  std::vector<double> split_magnitudes;
};

// All whole blocks (or plain elements) of `bytes`.
[[nodiscard]] Dequantised dequantise(DType dtype, std::span<const std::uint8_t> bytes);

}  // namespace belay::reference
