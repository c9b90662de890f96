#include "plugins/cuda_sm61/ops/decoder_layer.hpp"

#include "plugins/cuda_sm61/ops/attention.hpp"
#include "plugins/cuda_sm61/ops/layer_steps.hpp"
#include "plugins/cuda_sm61/ops/linear.hpp"
#include "plugins/cuda_sm61/ops/norm.hpp"
#include "plugins/cuda_sm61/ops/rope.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

namespace belay::cuda {
namespace {

// The kernels of a layer, each as what it is.
struct Parts {
  const RmsNorm& attention_norm;
  std::array<const Linear*, 3> qkv;
  const RmsNorm* q_norm;  // null where heads are not normed
  const RmsNorm* k_norm;
  const Rope& q_rope;
  const Rope& k_rope;
  const KvWrite& kv_write;
  const Attention& attention;
  const Linear& output;
  const RmsNorm& mlp_norm;
  const Linear& gate;
  const Linear& up;
  const Linear& down;
};

Parts parts_of(const sdk::Sequence& steps, const LayerSteps& layer) {
  const auto norm = [&](const std::optional<uint64_t>& step) -> const RmsNorm* {
    return step ? &steps.kernel<RmsNorm>(*step) : nullptr;
  };
  return {steps.kernel<RmsNorm>(layer.attention_norm),
          {&steps.kernel<Linear>(layer.q), &steps.kernel<Linear>(layer.k), &steps.kernel<Linear>(layer.v)},
          norm(layer.q_norm),
          norm(layer.k_norm),
          steps.kernel<Rope>(layer.q_rope),
          steps.kernel<Rope>(layer.k_rope),
          steps.kernel<KvWrite>(layer.kv_write),
          steps.kernel<Attention>(layer.attention),
          steps.kernel<Linear>(layer.output),
          steps.kernel<RmsNorm>(layer.mlp_norm),
          steps.kernel<Linear>(layer.gate),
          steps.kernel<Linear>(layer.up),
          steps.kernel<Linear>(layer.down)};
}

bool is_quantised(const Linear& linear) {
  return linear.quantised_way() != nullptr && linear.rows() > 0 && linear.k() > 0;
}

// One row a token, as wide as what reads it.
bool norms_for(const RmsNorm& norm, const Linear& reader) {
  return norm.shape().rows == 1 && norm.shape().d == reader.k();
}

bool norms_heads(const RmsNorm* norm, std::int64_t heads, std::int64_t d) {
  return norm == nullptr || (norm->shape().rows == heads && norm->shape().d == d);
}

// One launch norms the heads of both.
bool same_epsilon(const RmsNorm* q_norm, const RmsNorm* k_norm) {
  if (q_norm == nullptr || k_norm == nullptr) return q_norm == k_norm;
  return q_norm->params(1).epsilon == k_norm->params(1).epsilon;
}

bool attention_fits(const Parts& p) {
  const Attention::Shape& shape = p.attention.shape();
  const std::int64_t d = shape.cache.d;
  const std::int64_t kv_heads = shape.cache.kv_heads;
  return d % 32 == 0 && p.q_rope.turns_as(p.k_rope) && p.q_rope.shape().heads == shape.heads &&
         p.k_rope.shape().heads == kv_heads && p.q_rope.shape().d == d &&
         norms_heads(p.q_norm, shape.heads, d) && norms_heads(p.k_norm, kv_heads, d) &&
         same_epsilon(p.q_norm, p.k_norm) && p.output.k() == shape.heads * d;
}

// The kernels that do several steps in a launch are for quantised activations.
bool can_be_joined(const Parts& p) {
  const bool quantised =
      std::all_of(p.qkv.begin(), p.qkv.end(), [](const Linear* l) { return is_quantised(*l); }) &&
      is_quantised(p.output) && is_quantised(p.gate) && is_quantised(p.up) && is_quantised(p.down);
  if (!quantised || !attention_fits(p)) return false;
  const bool norms_fit = norms_for(p.attention_norm, *p.qkv[0]) && norms_for(p.attention_norm, *p.qkv[1]) &&
                         norms_for(p.attention_norm, *p.qkv[2]) && norms_for(p.mlp_norm, p.gate) &&
                         norms_for(p.mlp_norm, p.up) && p.output.rows() == p.mlp_norm.shape().d;
  return norms_fit && p.gate.quantised_way() == p.up.quantised_way() && p.gate.matrix().bias == nullptr &&
         p.up.matrix().bias == nullptr && p.gate.rows() == p.up.rows() && p.down.k() == p.gate.rows();
}

class DecoderLayer final : public sdk::Kernel<DecoderLayer> {
 public:
  DecoderLayer(Device& device, const sdk::Sequence& steps, const LayerSteps& layer, const Parts& parts)
      : device_(device), layer_(layer), parts_(parts) {
    for (uint64_t i = 0; i < layer.count; ++i) {
      const belay_step_t& step = steps[i];
      steps_.push_back({&steps.kernel<OpKernel>(i), input_count_, step.op->input_count, output_count_,
                        step.op->output_count});
      input_count_ += step.op->input_count;
      output_count_ += step.op->output_count;
    }
  }

  [[nodiscard]] std::uint64_t workspace(std::uint64_t tokens) const override {
    std::uint64_t most = Rooms(parts_, 0).end;
    for (const Step& step : steps_) most = std::max(most, step.kernel->workspace(tokens));
    return most;
  }

  belay_status_t run(const belay_run_t& run) {
    if (run.input_count != input_count_ || run.output_count != output_count_)
      return sdk::fail(run.error, BELAY_INVALID_ARGUMENT, "run: wrong number of operands");
    Located first;
    const belay_run_t norm = run_of(run, layer_.attention_norm);
    if (run.stream == nullptr) return run_one_by_one(run);
    if (const belay_status_t found = steps_[0].kernel->locate(norm, first); found != BELAY_OK) return found;
    return first.tokens == 1 ? run_token(run) : run_one_by_one(run);
  }

 private:
  struct Step {
    OpKernel* kernel;
    uint64_t first_input;
    uint64_t inputs;
    uint64_t first_output;
    uint64_t outputs;
  };

  // What a token needs of the workspace.
  struct Rooms {
    Rooms(const Parts& p, DevicePointer at)
        : normed(at, p.attention_norm.shape().d / 32),
          seen(normed.end(), p.output.k() / 32),
          hidden(seen.end(), p.down.k() / 32),
          attention(hidden.end()),
          end(attention + p.attention.workspace(1)) {}
    QuantisedRows normed;  // what the products behind a norm read
    QuantisedRows seen;    // by attention
    QuantisedRows hidden;  // of the mlp
    DevicePointer attention;
    DevicePointer end;
  };

  // A token on its way through the layer.
  struct Way {
    Launcher& launch;
    const std::vector<Located>& at;  // of each step
    Rooms rooms;

    [[nodiscard]] const float* in(uint64_t step, uint64_t index = 0) const {
      return reinterpret_cast<const float*>(at[step].inputs[index].address);
    }
    [[nodiscard]] float* out(uint64_t step, uint64_t index = 0) const {
      return reinterpret_cast<float*>(at[step].outputs[index].address);
    }
  };

  // The part of the arguments that a step has by itself.
  [[nodiscard]] belay_run_t run_of(const belay_run_t& run, uint64_t index) const {
    const Step& step = steps_[index];
    belay_run_t part = run;
    part.inputs = run.inputs + step.first_input;
    part.input_count = step.inputs;
    part.outputs = run.outputs + step.first_output;
    part.output_count = step.outputs;
    return part;
  }

  [[nodiscard]] belay_status_t run_one_by_one(const belay_run_t& run) const {
    for (uint64_t i = 0; i < steps_.size(); ++i) {
      const belay_run_t part = run_of(run, i);
      if (const belay_status_t status = steps_[i].kernel->run(part); status != BELAY_OK) return status;
    }
    return BELAY_OK;
  }

  belay_status_t run_token(const belay_run_t& run) {
    for (uint64_t i = 0; i < steps_.size(); ++i) {
      const belay_status_t found = steps_[i].kernel->locate(run_of(run, i), at_[i]);
      if (found != BELAY_OK) return found;
    }
    DevicePointer room = 0;
    belay_status_t status = find_workspace(device_, run, workspace(1), room);
    if (status == BELAY_OK) status = enter(device_, run.error);
    if (status != BELAY_OK) return status;
    Launcher launcher(device_, *reinterpret_cast<const Stream*>(run.stream));
    const Way way = {launcher, at_, Rooms(parts_, room)};
    norm(way);
    project(way);
    turn_and_keep(way);
    attend(way);
    leave_attention(way);
    expand(way);
    contract(way);
    return launcher.result() == kSuccess ? BELAY_OK : fail(run.error, launcher.result(), "run: launching");
  }

  void norm(const Way& way) const {
    RmsNormParams params = parts_.attention_norm.params(1);
    params.x = way.in(layer_.attention_norm);
    point_to(way.rooms.normed, 0, params);
    launch_rms_norm(way.launch, params);
  }

  // A launch for each type of weights among q, k and v.
  void project(const Way& way) const {
    const std::array<uint64_t, 3> steps = {layer_.q, layer_.k, layer_.v};
    for (std::size_t first = 0; first < steps.size(); ++first) {
      const LinearWay* kernels = parts_.qkv[first]->quantised_way();
      const auto same = [&](std::size_t i) { return parts_.qkv[i]->quantised_way() == kernels; };
      const bool was_done = (first > 0 && same(0)) || (first > 1 && same(1));
      if (was_done) continue;
      LinearParams params = product(way.rooms.normed, *parts_.qkv[first]);
      std::int64_t blocks = 0;
      std::size_t count = 0;
      for (std::size_t i = first; i < steps.size(); ++i) {
        if (!same(i)) continue;
        params.matrix[count] = parts_.qkv[i]->matrix();
        params.matrix[count++].y = way.out(steps[i]);
        blocks += belay::cuda::steps(parts_.qkv[i]->rows(), BELAY_LINEAR_GEMV_ROWS);
      }
      way.launch(*kernels->gemv1, {blocks}, params);
    }
  }

  // Queries turn in place: where the op would put them, the keys may lie that the same launch reads.
  void turn_and_keep(const Way& way) const {
    RopeKvParams params = parts_.q_rope.params();
    const auto norm_of = [](const RmsNorm* norm) {
      return norm != nullptr ? norm->params(1).weight : nullptr;
    };
    const auto heads = static_cast<int>(parts_.attention.shape().heads);
    const auto kv_heads = static_cast<int>(parts_.attention.shape().cache.kv_heads);
    params.query = {way.out(layer_.q), norm_of(parts_.q_norm), way.out(layer_.q), heads, 0};
    params.key = {way.out(layer_.k), norm_of(parts_.k_norm), nullptr, kv_heads, 0};
    params.value = {way.out(layer_.v), nullptr, nullptr, kv_heads, 0};
    params.positions = reinterpret_cast<const int*>(way.in(layer_.q_rope, 1));
    params.k_cache = way.out(layer_.kv_write, 0);
    params.v_cache = way.out(layer_.kv_write, 1);
    params.cache_type = parts_.kv_write.cache_type();
    params.blocks = static_cast<int>(way.at[layer_.kv_write].outputs[0].blocks);
    params.position = static_cast<int>(way.at[layer_.kv_write].position);
    params.tokens = 1;
    params.epsilon = parts_.q_norm != nullptr ? parts_.q_norm->params(1).epsilon : 0.0f;
    launch_rope_kv(way.launch, params);
  }

  void attend(const Way& way) const {
    const Located& at = way.at[layer_.attention];
    AttentionParams params = parts_.attention.params(1, at.position);
    params.q = way.out(layer_.q);
    params.k_cache = way.in(layer_.attention, 1);
    params.v_cache = way.in(layer_.attention, 2);
    params.blocks = static_cast<int>(at.inputs[1].blocks);
    point_to(way.rooms.seen, 0, params);
    parts_.attention.launch_few(way.launch, way.rooms.attention, params);
  }

  void leave_attention(const Way& way) const {
    const RmsNormParams norm = parts_.mlp_norm.params(1);
    LinearNormParams params{};
    params.linear = product(way.rooms.seen, parts_.output);
    params.linear.matrix[0].residual = way.in(layer_.attention_norm);
    params.linear.matrix[0].y = way.out(layer_.attention_residual);
    params.weight = norm.weight;
    params.epsilon = norm.epsilon;
    point_to(way.rooms.normed, 0, params);
    params.counter = reinterpret_cast<unsigned*>(way.launch.stream().counters()) + Attention::kMostHeads;
    way.launch(*parts_.output.quantised_way()->norm,
               {belay::cuda::steps(parts_.output.rows(), BELAY_LINEAR_GEMV_ROWS)}, params);
  }

  void expand(const Way& way) const {
    LinearSwigluParams params{};
    params.gate = parts_.gate.matrix().weight;
    params.up = parts_.up.matrix().weight;
    point_to(way.rooms.normed, 0, params);
    params.y_low = way.rooms.hidden.low;
    params.y_high = way.rooms.hidden.high;
    params.y_scales = way.rooms.hidden.scales;
    params.rows = static_cast<int>(parts_.gate.rows());
    params.k = static_cast<int>(parts_.gate.k());
    way.launch(*parts_.gate.quantised_way()->swiglu, {parts_.gate.rows() / 32}, params);
  }

  void contract(const Way& way) const {
    LinearParams params = product(way.rooms.hidden, parts_.down);
    params.matrix[0].residual = way.out(layer_.attention_residual);
    params.matrix[0].y = way.out(layer_.mlp_residual);
    way.launch(*parts_.down.quantised_way()->gemv1,
               {belay::cuda::steps(parts_.down.rows(), BELAY_LINEAR_GEMV_ROWS)}, params);
  }

  // Of one token's activations with one weight; where it goes is the caller's.
  static LinearParams product(const QuantisedRows& x, const Linear& linear) {
    LinearParams params{};
    params.matrix[0] = linear.matrix();
    params.k = static_cast<int>(linear.k());
    params.tokens = 1;
    point_to(x, 0, params);
    return params;
  }

  Device& device_;
  LayerSteps layer_;
  Parts parts_;
  std::vector<Step> steps_;
  std::vector<Located> at_ = std::vector<Located>(layer_.count);  // of a run
  uint64_t input_count_ = 0;
  uint64_t output_count_ = 0;
};

}  // namespace

sdk::KernelPtr join_decoder_layer(Device& device, const sdk::Sequence& steps, uint64_t& taken) {
  const auto layer = find_layer(steps);
  if (!layer) return nullptr;
  const Parts parts = parts_of(steps, *layer);
  if (!can_be_joined(parts)) return nullptr;
  taken = layer->count;
  return std::make_unique<DecoderLayer>(device, steps, *layer, parts);
}

}  // namespace belay::cuda
