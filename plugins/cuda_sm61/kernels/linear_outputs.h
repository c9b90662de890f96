// Which rows of which matrix a block or a warp of linear computes, and how its sums become outputs. Device
// code.
#pragma once

#include "plugins/cuda_sm61/kernels/device.h"
#include "plugins/cuda_sm61/kernels/linear_params.h"

// Field of matrix i. The parameters lie in constant memory: what is picked late takes no register until then.
#define BELAY_PICK(p, i, field) \
  ((i) == 0 ? (p).matrix[0].field : (i) == 1 ? (p).matrix[1].field : (p).matrix[2].field)

BELAY_DEVICE WeightPlanes planes_of(const LinearParams& p, int i) {
  return {BELAY_PICK(p, i, weight.quants), BELAY_PICK(p, i, weight.extra), BELAY_PICK(p, i, weight.scales),
          BELAY_PICK(p, i, weight.supers)};
}

// The number of the matrix that block `block` works on, `rows` rows to a block; makes `block` the block
// within it.
BELAY_DEVICE int matrix_of(const LinearParams& p, int rows, int& block) {
  const int blocks_of_0 = (p.matrix[0].rows + rows - 1) / rows;
  if (block < blocks_of_0) return 0;
  block -= blocks_of_0;
  const int blocks_of_1 = (p.matrix[1].rows + rows - 1) / rows;
  if (block < blocks_of_1) return 1;
  block -= blocks_of_1;
  return 2;
}

BELAY_DEVICE float silu(float x) { return x / (1.0f + expf(-x)); }

// Where sums go: y[token, row] = sum + bias[row] + residual[token, row], either of them null where there is
// none.
struct Outputs {
  const float* bias;
  const float* residual;
  float* y;
  int rows;
};

BELAY_DEVICE Outputs outputs_of(const LinearParams& p, int i) {
  return {BELAY_PICK(p, i, bias), BELAY_PICK(p, i, residual), BELAY_PICK(p, i, y), BELAY_PICK(p, i, rows)};
}

BELAY_DEVICE float biased(const float* bias, int row, float sum) {
  return bias == nullptr ? sum : sum + bias[row];
}

// `at` is the output's place in y.
BELAY_DEVICE void store_output(const Outputs& to, long long at, int row, float sum) {
  const float value = biased(to.bias, row, sum);
  to.y[at] = to.residual == nullptr ? value : value + to.residual[at];
}

BELAY_DEVICE void store_output(const Outputs& to, int token, int row, float sum) {
  store_output(to, static_cast<long long>(token) * to.rows + row, row, sum);
}

// The two rows of a warp of a gemv: neighbours in one matrix, or the same row of gate and up.
struct RowPair {
  int matrix;
  int row;
  int second_matrix;
  int second_row;  // the last row once more, where there is no other
  bool any;        // there is a first row
};

BELAY_DEVICE RowPair row_pair(const LinearParams& p) {
  int block = static_cast<int>(blockIdx.x);
  const int warp = static_cast<int>(threadIdx.x) / 32;
  if (p.silu != 0) {
    const int row = block * BELAY_LINEAR_GEMV_SILU_ROWS + warp;
    return {0, row, 1, row, row < p.matrix[0].rows};
  }
  const int matrix = matrix_of(p, BELAY_LINEAR_GEMV_ROWS, block);
  const int rows = BELAY_PICK(p, matrix, rows);
  const int row = block * BELAY_LINEAR_GEMV_ROWS + 2 * warp;
  return {matrix, row, matrix, min(row + 1, rows - 1), row < rows};
}

// Sums each of kCount values over the warp: lane l gets value l / (32 / kCount). Each is summed in the same
// order whatever kCount is.
template <int kCount>
BELAY_DEVICE float warp_sums(float (&values)[kCount]) {
  int offset = 16;
  BELAY_UNROLL
  for (int count = kCount; count > 1; count /= 2, offset /= 2) {
    const bool upper = (threadIdx.x & static_cast<unsigned>(offset)) != 0;
    BELAY_UNROLL
    for (int i = 0; i < count / 2; ++i) {
      const float keep = upper ? values[i + count / 2] : values[i];
      const float give = upper ? values[i] : values[i + count / 2];
      values[i] = keep + __shfl_xor_sync(BELAY_FULL_WARP, give, offset);
    }
  }
  BELAY_UNROLL
  for (; offset > 0; offset /= 2) values[0] += __shfl_xor_sync(BELAY_FULL_WARP, values[0], offset);
  return values[0];
}

// sums[c] and sums[kColumns + c]: a lane's share of the outputs of the pair's rows for token c. All lanes
// call.
template <int kColumns>
BELAY_DEVICE void store_pair(const LinearParams& p, const RowPair& pair, float (&sums)[2 * kColumns]) {
  constexpr int kLanes = 16 / kColumns;  // that get the same sum
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const float sum = warp_sums(sums);
  const float other = __shfl_xor_sync(BELAY_FULL_WARP, sum, 16);  // the second row's, for the first 16 lanes
  const int token = lane % 16 / kLanes;
  const bool first = lane < 16;
  if (lane % kLanes != 0 || token >= p.tokens) return;
  if (p.silu != 0) {
    const float gate = biased(p.matrix[0].bias, pair.row, sum);
    const float up = biased(p.matrix[1].bias, pair.row, other);
    if (first) p.matrix[0].y[static_cast<long long>(token) * p.matrix[0].rows + pair.row] = silu(gate) * up;
  } else if (first) {
    store_output(outputs_of(p, pair.matrix), token, pair.row, sum);
  } else if (pair.second_row != pair.row) {
    store_output(outputs_of(p, pair.matrix), token, pair.second_row, sum);
  }
}
