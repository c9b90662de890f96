// Q8_0: 32 values in 34 bytes: half d, i8 q[32]; value d*q.
#pragma once

#include "plugins/cpu_kernels/quant/format.hpp"

namespace belay::BELAY_ISA {

struct Q8_0 {
  static constexpr int kDtype = BELAY_DTYPE_Q8_0;
  static constexpr int kBlock = 32;
  static constexpr int kBytes = 34;
  static constexpr int kGroup = 32;
  static constexpr bool kSigned = true;
  static constexpr int kBits = 8;
  static constexpr int kHalves[] = {0};
  static constexpr int kSmallBits = 0;
  static constexpr int kZero = 0;

  static Bytes quants(const uint8_t* block, int) { return load_bytes(block + 2); }
  static void affine(const Rows& rows, F32* scale, F32* offset) {
    scale[0] = gather_f16(rows, 0);
    offset[0] = zero();
  }
};

}  // namespace belay::BELAY_ISA
