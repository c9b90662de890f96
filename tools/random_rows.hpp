// Rows of about normally distributed numbers, the same on every machine, faster than a generator makes them:
// sums of two stretches of one table. Immutable; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace belay::make_model {

class RandomRows {
 public:
  explicit RandomRows(std::size_t longest_row);

  // Row number `row` (below 2^40, each another row): deviation `spread` around `mean`.
  void fill(std::uint64_t row, float mean, float spread, std::span<float> out) const;

 private:
  std::vector<float> table_;
};

}  // namespace belay::make_model
