// One run of one operator as plain data: operands with their bytes, and what the reference expects. Cases are
// made by cases_*.cpp, described to a plugin by describe.hpp, run and judged by check_case.hpp.
#pragma once

#include "core/base/dtype.hpp"

#include <belay/op.h>

#include <cstdint>
#include <string>
#include <vector>

namespace belay::kernel_tests {

struct Operand {
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  int token_axis = -1;              // the dimension that is BELAY_DYNAMIC in the op's description; -1: none
  std::vector<std::uint8_t> bytes;  // for an output: its contents before the run
  std::int64_t row_padding = 0;     // bytes behind each slowest row, not part of any element
};

// What one output may be. Several expectations are alternatives: all elements must fit the same one.
struct Expectation {
  std::string name;
  std::vector<double> values;
  std::vector<double> tolerances;
  // The element depends on a NaN, an infinity or an overflow: a non-finite result is right even where
  // `values` is finite.
  std::vector<bool> may_be_non_finite;
};

struct OpCase {
  std::string op;                        // BELAY_OP_*
  std::vector<std::uint8_t> attributes;  // the op's own struct, or empty
  std::vector<Operand> inputs;
  std::vector<Operand> constants;
  std::vector<Operand> outputs;
  std::uint64_t tokens = 0;
  std::uint64_t position = 0;
  std::vector<std::vector<Expectation>> expected;  // [output][alternative]
  std::vector<double> nmse_reference;              // when not empty: of output 0, with `nmse_limit`
  double nmse_limit = 0.0;
  std::string label;  // shape, types and seed: enough to make the case again
  std::uint64_t seed = 0;
};

template <class Attributes>
std::vector<std::uint8_t> attribute_bytes(Attributes attributes) {
  attributes.struct_size = sizeof attributes;
  const auto* begin = reinterpret_cast<const std::uint8_t*>(&attributes);
  return {begin, begin + sizeof attributes};
}

}  // namespace belay::kernel_tests
