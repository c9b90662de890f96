// What every test file of an operator says: this case passes on all plugins. Keeps the largest error seen for
// the report.
#pragma once

#include "tests/kernels/cases.hpp"

#include <cstdint>
#include <string>

namespace belay::kernel_tests {

enum class Need {
  kMandatory,  // a plugin whose manifest claims it must offer it: a refusal fails
  kOptional,   // a refusal with a reason is fine; YES must be right
};

// `group` names the line in the report of observed maxima.
void expect_pass(const OpCase& op_case, const std::string& group, Need need = Need::kMandatory);

// A seed for the next case: the same in every run. Each file counts for itself, so that a new case in one
// does not change the others.
[[maybe_unused]] static std::uint64_t next_seed() {
  static std::uint64_t seed = 1;
  return ++seed;
}

}  // namespace belay::kernel_tests
