// From the file's rows to the packed form.
#include "plugins/cpu_kernels/ops/linear.hpp"
#include "plugins/cpu_kernels/quant/packed.hpp"

namespace belay::BELAY_ISA {
namespace {

template <class F>
void pack(const Weight& weight, int64_t begin, int64_t end, uint8_t* to) {
  for (int64_t group = begin; group < end; ++group) {
    Rows rows;
    const int64_t row = group * kLanes;
    row_pointers(weight.data, weight.row_bytes, row, weight.rows - row, rows);
    Packed<F>::pack_group(rows, weight.cols,
                          to + static_cast<uint64_t>(group) * Packed<F>::group_bytes(weight.cols));
  }
}

}  // namespace

Packing packing_of(const Weight& weight) {
  Packing packing = {};
  visit_packed(weight.dtype, [&](auto format) {
    using F = decltype(format);
    packing = {(weight.rows + kLanes - 1) / kLanes, Packed<F>::group_bytes(weight.cols), &pack<F>};
  });
  return packing;
}

}  // namespace belay::BELAY_ISA
