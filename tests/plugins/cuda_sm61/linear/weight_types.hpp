// Every weight type with the kernels' reader of it.
#pragma once

#include "core/base/dtype.hpp"
#include "plugins/cuda_sm61/kernels/linear_blocks.h"

namespace belay::cuda_tests {

// body.operator()<Format>(dtype)
template <class Body>
void for_each_format(Body body) {
  body.template operator()<FormatF32>(DType::kF32);
  body.template operator()<FormatF16>(DType::kF16);
  body.template operator()<FormatBF16>(DType::kBF16);
  body.template operator()<FormatQ8_0>(DType::kQ8_0);
  body.template operator()<FormatQ4_0>(DType::kQ4_0);
  body.template operator()<FormatQ4_1>(DType::kQ4_1);
  body.template operator()<FormatQ5_0>(DType::kQ5_0);
  body.template operator()<FormatQ5_1>(DType::kQ5_1);
  body.template operator()<FormatQ4_K>(DType::kQ4_K);
  body.template operator()<FormatQ5_K>(DType::kQ5_K);
  body.template operator()<FormatQ6_K>(DType::kQ6_K);
}

}  // namespace belay::cuda_tests
