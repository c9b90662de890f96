// Weights from the file's bytes into the arrays that the kernels read (kernels/weight_planes.h). Nothing is
// rounded: every quant, scale and minimum keeps its bits, they only lie elsewhere.
#pragma once

#include <cstdint>
#include <span>

namespace belay::cuda {

// A weight [rows, k] for which packed_layout() has an answer. `out` has that many bytes.
struct PackJob {
  std::int32_t dtype = 0;
  std::int64_t rows = 0;
  std::int64_t k = 0;
  const std::uint8_t* file = nullptr;
  std::uint8_t* out = nullptr;
};

// Packs the rows first..end-1. Ranges may be packed in any order and by many threads at once; what lies
// between the arrays is not written.
void pack_rows(const PackJob& job, std::int64_t first, std::int64_t end);

// All rows.
void pack(const PackJob& job);

}  // namespace belay::cuda
