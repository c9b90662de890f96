#include "plugins/cuda_sm61/ops/layer_steps.hpp"

#include <belay/op.h>

#include <initializer_list>
#include <string_view>

namespace belay::cuda {
namespace {

// Reads a sequence from its begin; the first step that is another one ends it.
class Reader {
 public:
  explicit Reader(const sdk::Sequence& steps) : steps_(steps) {}

  [[nodiscard]] bool is_next(std::string_view id) const {
    return good_ && next_ < steps_.count() && steps_.id(next_) == id;
  }
  // The next step, if it is this op and its first inputs are these values.
  uint64_t take(std::string_view id, std::initializer_list<uint32_t> inputs) {
    good_ = is_next(id) && steps_[next_].op->input_count >= inputs.size();
    uint64_t i = 0;
    for (const uint32_t value : inputs) good_ = good_ && steps_[next_].inputs[i++] == value;
    return good_ ? next_++ : 0;
  }
  // The next step, if it adds these values in any order.
  uint64_t take_sum(uint32_t a, uint32_t b) {
    if (is_next(BELAY_OP_ADD) && steps_[next_].inputs[0] == b) return take(BELAY_OP_ADD, {b, a});
    return take(BELAY_OP_ADD, {a, b});
  }
  [[nodiscard]] uint32_t output(uint64_t step, uint64_t index = 0) const {
    return good_ ? steps_[step].outputs[index] : 0;
  }
  [[nodiscard]] uint64_t count() const { return next_; }
  [[nodiscard]] bool good() const { return good_; }

 private:
  const sdk::Sequence& steps_;
  uint64_t next_ = 0;
  bool good_ = true;
};

}  // namespace

std::optional<LayerSteps> find_layer(const sdk::Sequence& steps) {
  if (steps.count() == 0 || steps.id(0) != BELAY_OP_RMS_NORM) return std::nullopt;
  const uint32_t x = steps[0].inputs[0];
  Reader reader(steps);
  LayerSteps layer;
  layer.attention_norm = reader.take(BELAY_OP_RMS_NORM, {x});
  const uint32_t h = reader.output(layer.attention_norm);
  layer.q = reader.take(BELAY_OP_LINEAR, {h});
  layer.k = reader.take(BELAY_OP_LINEAR, {h});
  layer.v = reader.take(BELAY_OP_LINEAR, {h});
  uint32_t queries = reader.output(layer.q);
  uint32_t keys = reader.output(layer.k);
  if (reader.is_next(BELAY_OP_RMS_NORM)) {
    layer.q_norm = reader.take(BELAY_OP_RMS_NORM, {queries});
    layer.k_norm = reader.take(BELAY_OP_RMS_NORM, {keys});
    queries = reader.output(*layer.q_norm);
    keys = reader.output(*layer.k_norm);
  }
  layer.q_rope = reader.take(BELAY_OP_ROPE, {queries});
  layer.k_rope = reader.take(BELAY_OP_ROPE, {keys});
  layer.kv_write = reader.take(BELAY_OP_KV_WRITE, {reader.output(layer.k_rope), reader.output(layer.v)});
  layer.attention = reader.take(
      BELAY_OP_ATTENTION,
      {reader.output(layer.q_rope), reader.output(layer.kv_write, 0), reader.output(layer.kv_write, 1)});
  layer.output = reader.take(BELAY_OP_LINEAR, {reader.output(layer.attention)});
  layer.attention_residual = reader.take_sum(x, reader.output(layer.output));
  const uint32_t sum = reader.output(layer.attention_residual);
  layer.mlp_norm = reader.take(BELAY_OP_RMS_NORM, {sum});
  const uint32_t normed = reader.output(layer.mlp_norm);
  layer.gate = reader.take(BELAY_OP_LINEAR, {normed});
  layer.up = reader.take(BELAY_OP_LINEAR, {normed});
  layer.silu = reader.take(BELAY_OP_SILU_MUL, {reader.output(layer.gate), reader.output(layer.up)});
  layer.down = reader.take(BELAY_OP_LINEAR, {reader.output(layer.silu)});
  layer.mlp_residual = reader.take_sum(sum, reader.output(layer.down));
  layer.count = reader.count();
  if (!reader.good() || steps[layer.q_rope].inputs[1] != steps[layer.k_rope].inputs[1]) return std::nullopt;
  for (uint64_t i = 0; i + 1 < layer.count; ++i) {
    if (i != layer.kv_write && !steps.stays_inside(i, layer.count)) return std::nullopt;
  }
  return layer;
}

}  // namespace belay::cuda
