// rope: turns pairs of a head's elements by angles that grow with the position. Angles and their sines are
// computed in double, once for each token and shared by all heads.
#include "plugins/cpu_kernels/ops/check.hpp"
#include "plugins/cpu_kernels/ops/ops.hpp"
#include "plugins/cpu_kernels/simd/simd.hpp"

#include <cmath>
#include <memory>
#include <vector>

namespace belay::BELAY_ISA {
namespace {

// The axis that gives pair `pair` its position: qwen3_vl's interleaved order, or the sections one after
// another.
uint32_t axis_of(const belay_rope_attributes_t& rope, uint32_t pair) {
  if (rope.interleaved != 0) {
    if (pair % 3 == 1 && pair < 3 * uint64_t{rope.sections[1]}) return 1;
    if (pair % 3 == 2 && pair < 3 * uint64_t{rope.sections[2]}) return 2;
    return 0;
  }
  uint64_t end = 0;
  for (uint32_t axis = 0; axis < 4; ++axis) {
    end += rope.sections[axis];
    if (pair < end) return axis;
  }
  return 0;
}

bool has_sections(const belay_rope_attributes_t& rope) {
  return (rope.sections[0] | rope.sections[1] | rope.sections[2] | rope.sections[3]) != 0;
}

class Rope final : public sdk::Kernel<Rope> {
 public:
  Rope(sdk::Host host, const belay_rope_attributes_t& rope, int64_t heads, int64_t d, uint32_t axes,
       const float* factors)
      : host_(host), adjacent_(rope.style == BELAY_ROPE_ADJACENT), heads_(heads), d_(d), axes_(axes) {
    const uint32_t pairs = rope.rotary_dim / 2;
    frequency_.resize(pairs);
    axis_.resize(pairs);
    for (uint32_t i = 0; i < pairs; ++i) {
      const double exponent = -2.0 * i / rope.rotary_dim;
      const double factor = factors == nullptr ? 1.0 : static_cast<double>(factors[i]);
      frequency_[i] = static_cast<double>(rope.position_scale) *
                      std::pow(static_cast<double>(rope.theta), exponent) / factor;
      axis_[i] = has_sections(rope) ? axis_of(rope, i) : 0;
    }
  }

  // A table of cosines and sines for each thread.
  [[nodiscard]] uint64_t workspace(uint64_t) const override {
    return host_.max_concurrency() * table_bytes();
  }

  belay_status_t run(const belay_run_t& arguments) {
    Operands operands(arguments, 2, 1);
    const int64_t tokens = operands.tokens();
    const auto per_token = static_cast<uint64_t>(heads_ * d_);
    const float* x = operands.floats(0, tokens, per_token);
    const auto* positions = static_cast<const int32_t*>(operands.input(1, tokens, 4 * uint64_t{axes_}));
    float* out = operands.out_floats(0, tokens, per_token);
    auto* tables = static_cast<uint8_t*>(operands.workspace(workspace(0)));
    if (operands.status() != BELAY_OK || per_token == 0) return operands.status();
    const double token_ns =
        kSlowness * static_cast<double>(per_token) / 2 + 30.0 * static_cast<double>(frequency_.size());
    return host_.parallel_for(static_cast<uint64_t>(tokens), grain_for(token_ns),
                              [&](uint64_t begin, uint64_t end, uint32_t worker) {
                                auto* table = reinterpret_cast<float*>(tables + worker * table_bytes());
                                for (auto t = static_cast<int64_t>(begin); t < static_cast<int64_t>(end);
                                     ++t) {
                                  fill_table(positions, t, tokens, table);
                                  for (int64_t h = 0; h < heads_; ++h) {
                                    const int64_t at = (t * heads_ + h) * d_;
                                    turn(x + at, table, out + at);
                                  }
                                }
                              });
  }

 private:
  [[nodiscard]] uint64_t table_bytes() const {
    return (frequency_.size() * 4 * sizeof(float) + 63) / 64 * 64;
  }
  [[nodiscard]] int64_t rotary() const { return 2 * static_cast<int64_t>(frequency_.size()); }

  // cos[rotary], sin[rotary], laid out as the elements that they multiply; the sine of a pair's first element
  // is negative.
  void fill_table(const int32_t* positions, int64_t token, int64_t tokens, float* table) const {
    const int64_t pairs = rotary() / 2;
    float* sines = table + rotary();
    for (int64_t i = 0; i < pairs; ++i) {
      const double angle = static_cast<double>(positions[axis_[static_cast<size_t>(i)] * tokens + token]) *
                           frequency_[static_cast<size_t>(i)];
      const int64_t first = adjacent_ ? 2 * i : i;
      const int64_t second = adjacent_ ? 2 * i + 1 : i + pairs;
      table[first] = table[second] = static_cast<float>(std::cos(angle));
      const auto sine = static_cast<float>(std::sin(angle));
      sines[first] = -sine;
      sines[second] = sine;
    }
  }

  void turn(const float* x, const float* table, float* out) const {
    if (adjacent_) {
      for (int64_t i = 0; i < rotary(); i += kLanes) {
        const int64_t rest = rotary() - i;
        const F32 v = load_upto(x + i, rest);
        const F32 turned =
            mul_add(swap_pairs(v), load_upto(table + rotary() + i, rest), v * load_upto(table + i, rest));
        store_upto(turned, out + i, rest);
      }
    } else {
      turn_halves(x, table, out);
    }
    for (int64_t i = rotary(); i < d_; ++i) out[i] = x[i];
  }

  void turn_halves(const float* x, const float* table, float* out) const {
    const int64_t pairs = rotary() / 2;
    for (int64_t i = 0; i < pairs; i += kLanes) {
      const int64_t rest = pairs - i;
      const F32 first = load_upto(x + i, rest);
      const F32 second = load_upto(x + pairs + i, rest);
      const F32 cosine = load_upto(table + i, rest);
      const F32 minus_sine = load_upto(table + rotary() + i, rest);
      const F32 sine = load_upto(table + rotary() + pairs + i, rest);
      store_upto(mul_add(second, minus_sine, first * cosine), out + i, rest);
      store_upto(mul_add(first, sine, second * cosine), out + pairs + i, rest);
    }
  }

  sdk::Host host_;
  bool adjacent_;
  int64_t heads_;
  int64_t d_;
  uint32_t axes_;
  std::vector<double> frequency_;  // angle per position of pair i
  std::vector<uint32_t> axis_;     // of pair i
};

bool checks_attributes(const belay_rope_attributes_t& rope, int64_t d, uint32_t axes, sdk::Support& answer) {
  if (rope.style != BELAY_ROPE_ADJACENT && rope.style != BELAY_ROPE_HALVES) {
    return answer.no(BELAY_UNSUPPORTED, "unknown style of rope %d", rope.style);
  }
  if (rope.rotary_dim % 2 != 0 || rope.rotary_dim > d) {
    return answer.no(BELAY_UNSUPPORTED, "rotary_dim is %u for heads of %lld", rope.rotary_dim,
                     static_cast<long long>(d));
  }
  for (uint32_t i = 0; has_sections(rope) && i < rope.rotary_dim / 2; ++i) {
    if (axis_of(rope, i) >= axes) {
      return answer.no(BELAY_UNSUPPORTED, "the sections need more than the %u axes of the positions", axes);
    }
  }
  return true;
}

bool supports(const belay_op_t& op, sdk::Support& answer) {
  belay_rope_attributes_t rope{};
  if (!has_operands(op, 2, 0, 1, 1, answer) || !read_attributes(op, rope, answer)) return false;
  const belay_tensor_t& x = op.inputs[0];
  const belay_tensor_t& positions = sdk::at(op.inputs, 1);
  if (!is_tensor(x, "x", BELAY_DTYPE_F32, {kTokens, kAnySize, kAnySize}, answer) ||
      !same_shape(x, op.outputs[0], "x and the output", answer)) {
    return false;
  }
  const bool one_axis = positions.rank == 1;
  if (!(one_axis ? is_tensor(positions, "positions", BELAY_DTYPE_I32, {kTokens}, answer)
                 : is_tensor(positions, "positions", BELAY_DTYPE_I32, {kAnySize, kTokens}, answer))) {
    return false;
  }
  const auto axes = one_axis ? 1u : static_cast<uint32_t>(positions.shape[0]);
  if (axes == 0 || axes > 4) return answer.no(BELAY_UNSUPPORTED, "positions have %u axes, not 1 to 4", axes);
  if (!checks_attributes(rope, x.shape[2], axes, answer)) return false;
  const belay_tensor_t* factors = constant(op, 0);
  if (factors != nullptr &&
      !is_tensor(*factors, "freq_factors", BELAY_DTYPE_F32, {rope.rotary_dim / 2}, answer))
    return false;
  answer.cost_ns = 50 + 15 * rope.rotary_dim +
                   static_cast<uint64_t>(kSlowness * static_cast<double>(x.shape[1]) *
                                         static_cast<double>(x.shape[2]) / 2);
  return true;
}

sdk::KernelPtr bind(sdk::Host host, const belay_op_t& op) {
  const belay_tensor_t& x = op.inputs[0];
  const belay_tensor_t& positions = sdk::at(op.inputs, 1);
  const belay_tensor_t* factors = constant(op, 0);
  return std::make_unique<Rope>(
      host, accepted_attributes<belay_rope_attributes_t>(op), x.shape[1], x.shape[2],
      positions.rank == 1 ? 1u : static_cast<uint32_t>(positions.shape[0]),
      factors == nullptr ? nullptr : reinterpret_cast<const float*>(constant_data(*factors, "freq_factors")));
}

}  // namespace

constinit const OpRow kRope = {BELAY_OP_ROPE, &supports, &bind};

}  // namespace belay::BELAY_ISA
