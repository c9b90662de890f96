// y = W x for few tokens, x quantised: a warp has two rows. Device code.
#pragma once

#include "plugins/cuda_sm61/kernels/device.h"
#include "plugins/cuda_sm61/kernels/linear_outputs.h"
#include "plugins/cuda_sm61/kernels/linear_params.h"
#include "plugins/cuda_sm61/kernels/linear_q8.h"

template <class Format, int kColumns>
BELAY_DEVICE void gemv_q8(const LinearParams& p) {
  const RowPair pair = row_pair(p);
  if (!pair.any) return;  // the whole warp
  const int blocks = p.k / 32;
  float sums[2 * kColumns] = {};
  multiply_rows<Format, kColumns>({planes_of(p, pair.matrix), pair.row * blocks},
                                  {planes_of(p, pair.second_matrix), pair.second_row * blocks},
                                  {p.low, p.high, p.scales, p.tokens, blocks}, sums);
  store_pair<kColumns>(p, pair, sums);
}
