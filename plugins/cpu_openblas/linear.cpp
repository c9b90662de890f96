#include "plugins/cpu_openblas/linear.hpp"

#include "plugins/cpu_kernels/ops/check.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>

namespace belay::openblas {
namespace {

namespace check = isa_scalar;  // plugins/cpu_kernels/ops/check.hpp in this build

// Rates of one core with AVX2, for grains and the cost estimate.
constexpr double kBytesPerNs = 8;
constexpr double kProductsPerNs = 40;

// From here on gemm is faster than gemv (OpenBLAS 0.3.21, Haswell kernels on a Zen 4, 2026-11).
constexpr int64_t kGemmTokens = 8;

struct Tile {
  int64_t rows;
  int64_t tokens;
};

// Fixed by the sizes alone, whatever the number of threads: OpenBLAS may add up in another order in a tile of
// another size. Large tiles repack less, small ones leave work for more threads.
Tile tile_of(int64_t rows, int64_t tokens) {
  if (tokens < kGemmTokens) return {16, tokens};
  const int64_t eighth = (rows / 8 + 63) / 64 * 64;
  return {std::clamp<int64_t>(eighth, 256, 512), 768};
}

class Linear final : public sdk::Kernel<Linear> {
 public:
  Linear(sdk::Host host, const OpenBlas& blas, const float* weight, const float* bias, int64_t rows,
         int64_t cols)
      : host_(host), blas_(blas), weight_(weight), bias_(bias), rows_(rows), cols_(cols) {}

  [[nodiscard]] uint64_t workspace(uint64_t /*tokens*/) const override { return 0; }

  belay_status_t run(const belay_run_t& arguments) {
    check::Operands operands(arguments, 1, 1);
    const int64_t tokens = operands.tokens();
    const float* x = operands.floats(0, tokens, static_cast<uint64_t>(cols_));
    float* out = operands.out_floats(0, tokens, static_cast<uint64_t>(rows_));
    if (operands.status() != BELAY_OK || tokens == 0 || rows_ == 0) return operands.status();
    const Tile tile = tile_of(rows_, tokens);
    const int64_t tiles_along_tokens = (tokens + tile.tokens - 1) / tile.tokens;
    const auto tiles = static_cast<uint64_t>((rows_ + tile.rows - 1) / tile.rows * tiles_along_tokens);
    return host_.parallel_for(tiles, grain_of(tile, tiles), [&](uint64_t begin, uint64_t end, uint32_t) {
      for (auto i = static_cast<int64_t>(begin); i < static_cast<int64_t>(end); ++i) {
        const int64_t row = i / tiles_along_tokens * tile.rows;
        const int64_t token = i % tiles_along_tokens * tile.tokens;
        const Tile part = {std::min(tile.rows, rows_ - row), std::min(tile.tokens, tokens - token)};
        compute(part, row, x + token * cols_, out + token * rows_ + row, tokens >= kGemmTokens);
      }
    });
  }

 private:
  // Ranges are as many as calls may be in flight, at most.
  [[nodiscard]] uint64_t grain_of(Tile tile, uint64_t tiles) const {
    const auto cells = static_cast<double>(tile.rows * cols_);
    const double ns =
        std::max(4 * cells / kBytesPerNs, cells * static_cast<double>(tile.tokens) / kProductsPerNs);
    return std::max(check::grain_for(ns), (tiles + OpenBlas::kMostCalls - 1) / OpenBlas::kMostCalls);
  }

  // The outputs of a tile that begins at `row`, `x` and `out`.
  void compute(Tile tile, int64_t row, const float* x, float* out, bool many) const {
    for (int64_t t = 0; t < tile.tokens; ++t) {
      float* start = out + t * rows_;
      if (bias_ != nullptr) {
        std::copy_n(bias_ + row, tile.rows, start);
      } else {
        std::fill_n(start, tile.rows, 0.0F);
      }
    }
    if (cols_ == 0) return;
    const Product product = {static_cast<int>(tile.tokens), static_cast<int>(tile.rows),
                             static_cast<int>(cols_),       x,
                             weight_ + row * cols_,         out,
                             static_cast<int>(rows_)};
    many ? blas_.gemm(product) : blas_.gemv(product);
  }

  sdk::Host host_;
  OpenBlas blas_;
  const float* weight_;
  const float* bias_;  // or nullptr
  int64_t rows_;
  int64_t cols_;
};

const float* floats_of(const belay_tensor_t* tensor, const char* name) {
  return tensor == nullptr ? nullptr : reinterpret_cast<const float*>(check::constant_data(*tensor, name));
}

bool fits(const belay_op_t& op, sdk::Support& answer) {
  if (sdk::view(op.id) != BELAY_OP_LINEAR)
    return answer.no(BELAY_UNSUPPORTED, "offers only " BELAY_OP_LINEAR);
  belay_linear_attributes_t attributes{};
  if (!check::has_operands(op, 1, 1, 2, 1, answer) || !check::read_attributes(op, attributes, answer))
    return false;
  // 8-bit activations are for quantised weights: with f32 ones both numerics are the same.
  if (attributes.numerics < BELAY_NUMERICS_F32 || attributes.numerics > BELAY_NUMERICS_ACT_Q16) {
    return answer.no(BELAY_UNSUPPORTED, "unknown numerics %d", attributes.numerics);
  }
  const belay_tensor_t& weight = op.constants[0];
  if (weight.dtype != BELAY_DTYPE_F32) {
    return answer.no(BELAY_UNSUPPORTED, "weight has dtype %d, OpenBLAS multiplies f32 only", weight.dtype);
  }
  if (!check::linear_shapes_fit(op, answer)) return false;
  if (std::max(weight.shape[0], weight.shape[1]) > std::numeric_limits<int>::max()) {
    return answer.no(BELAY_UNSUPPORTED, "the weight has more rows or columns than OpenBLAS can count");
  }
  const int64_t tokens = op.inputs[0].shape[0];
  if (tokens != BELAY_DYNAMIC && tokens < kGemmTokens) {
    return answer.no(BELAY_UNSUPPORTED, "OpenBLAS pays from %lld tokens on",
                     static_cast<long long>(kGemmTokens));
  }
  return true;
}

}  // namespace

void supports_linear(const belay_op_t& op, sdk::Support& answer) {
  if (!fits(op, answer)) return;
  const auto cells =
      static_cast<double>(op.constants[0].shape[0]) * static_cast<double>(op.constants[0].shape[1]);
  answer.determinism = BELAY_DETERMINISM_BITWISE;
  answer.cost_ns = 500 + static_cast<uint64_t>(4 * cells / kBytesPerNs);
  answer.confidence_permille = 300;
}

sdk::KernelPtr bind_linear(sdk::Host host, const OpenBlas& blas, const belay_op_t& op) {
  const belay_tensor_t& weight = op.constants[0];
  return std::make_unique<Linear>(host, blas, floats_of(&weight, "weight"),
                                  floats_of(check::constant(op, 1), "bias"), weight.shape[0],
                                  weight.shape[1]);
}

}  // namespace belay::openblas
