#include "plugins/cpu_kernels/ops/linear.hpp"

#include "plugins/cpu_kernels/ops/check.hpp"
#include "plugins/cpu_kernels/ops/ops.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <span>

namespace belay::BELAY_ISA {
namespace {

// Rates of one AVX2 core of 2.5 to 4 GHz, for grains and cost estimates: bytes of packed weights for one
// token.
constexpr double kBytesPerNs = 25;
constexpr double kProductsPerNs = 40;

// Most tokens that are computed in parts at a time: as many as fill a block of the way for many, so that no
// panel is unpacked more often for it, and the parts of more need no memory.
constexpr int64_t kTokensInParts = 128;

uint64_t align_up(uint64_t bytes) { return (bytes + 63) / 64 * 64; }

using Tasks = std::span<const LinearTask>;

class Linear final : public sdk::Kernel<Linear> {
 public:
  Linear(sdk::Host host, const Weight& weight, const float* bias, int32_t numerics, bool is_packed)
      : host_(host),
        weight_(weight),
        bias_(bias),
        is_packed_(is_packed),
        floats_(is_packed ? packed_floats(weight.dtype) : floats_of_file(weight.dtype)),
        few_q8_(is_packed ? few_tokens_q8_packed(weight.dtype) : few_tokens_q8(weight.dtype)),
        many_q8_(many_tokens_q8(weight.dtype, is_packed)),
        quantised_(numerics != BELAY_NUMERICS_F32 && few_q8_.compute != nullptr),
        parts_(numerics == BELAY_NUMERICS_ACT_Q16 ? 2 : 1) {}

  [[nodiscard]] uint64_t workspace(uint64_t tokens) const override {
    if (quantised_ && parts_ > 1) return layout(std::min(tokens, uint64_t{kTokensInParts}) * parts_).bytes;
    if (quantised_) return layout(tokens).bytes;
    if (tokens <= static_cast<uint64_t>(floats_.tokens_without_panels)) return 0;
    return host_.max_concurrency() * kPanelFloatsF32 * sizeof(float);
  }

  belay_status_t run(const belay_run_t& arguments) {
    Operands operands(arguments, 1, 1);
    const int64_t tokens = operands.tokens();
    const float* x = operands.floats(0, tokens, static_cast<uint64_t>(weight_.cols));
    float* out = operands.out_floats(0, tokens, static_cast<uint64_t>(weight_.rows));
    void* scratch = operands.workspace(workspace(static_cast<uint64_t>(tokens)));
    if (operands.status() != BELAY_OK || tokens == 0 || weight_.rows == 0) return operands.status();
    const LinearTask task = this->task(tokens, out);
    return compute({&task, 1}, x, scratch);
  }

  [[nodiscard]] int64_t rows() const { return weight_.rows; }
  [[nodiscard]] int64_t cols() const { return weight_.cols; }
  [[nodiscard]] LinearTask task(int64_t tokens, float* out) const { return {weight_, bias_, tokens, out}; }

  // Whether another layer on the same x is computed in the same way, so that one call can do both.
  [[nodiscard]] bool goes_with(const Linear& other) const {
    return parts_ == 1 && other.parts_ == 1 && weight_.dtype == other.weight_.dtype &&
           weight_.cols == other.weight_.cols && is_packed_ == other.is_packed_ &&
           quantised_ == other.quantised_;
  }

  // Of this layer, and of others that go with it: for at least one token and one row of each.
  belay_status_t compute(Tasks tasks, const float* x, void* scratch) const {
    if (!quantised_) return run_f32(tasks, x, static_cast<float*>(scratch));
    if (parts_ == 1) return run_quantised(tasks, x, static_cast<uint8_t*>(scratch));
    return run_in_pieces(tasks[0], x, static_cast<uint8_t*>(scratch));
  }

 private:
  // Where the quantised activations lie in the workspace, and behind them what the parts of a token give,
  // when there are two.
  struct Layout {
    uint64_t scale;
    uint64_t sum;
    uint64_t products;
    uint64_t bytes;
  };
  [[nodiscard]] Layout layout(uint64_t tokens) const {
    const auto cols = static_cast<uint64_t>(weight_.cols);
    const ActivationFormat& format = way_of(tokens).activations;
    Layout l{};
    l.scale = align_up(tokens * cols * static_cast<uint64_t>(format.bytes));
    l.sum = l.scale + align_up(tokens * (cols / 32) * 4);
    l.products = l.sum + align_up(tokens * (cols / static_cast<uint64_t>(format.group)) * 4);
    l.bytes = l.products + (parts_ > 1 ? align_up(tokens * static_cast<uint64_t>(weight_.rows) * 4) : 0);
    return l;
  }
  [[nodiscard]] const QuantisedWay& way_of(uint64_t tokens) const {
    return tokens <= static_cast<uint64_t>(few_q8_.most_tokens) ? few_q8_ : many_q8_;
  }

  // Time of one unit of rows, to choose how many make a range.
  [[nodiscard]] double unit_ns(int64_t rows, int64_t tokens) const {
    const double bytes = static_cast<double>(rows) * static_cast<double>(weight_.row_bytes);
    const double products = static_cast<double>(rows * tokens) * static_cast<double>(weight_.cols);
    return kSlowness * std::max(bytes / kBytesPerNs, products / kProductsPerNs);
  }

  // The rows of all tasks in one parallel region: body(task, begin, end, worker) for ranges of their rows.
  template <class Body>
  belay_status_t for_rows(Tasks tasks, int64_t unit, Body&& body) const {
    int64_t units = 0;
    for (const LinearTask& task : tasks) units += units_of(task, unit);
    return host_.parallel_for(static_cast<uint64_t>(units), grain_for(unit_ns(unit, tasks[0].tokens)),
                              [&](uint64_t from, uint64_t to, uint32_t worker) {
                                auto begin = static_cast<int64_t>(from);
                                auto end = static_cast<int64_t>(to);
                                for (const LinearTask& task : tasks) {
                                  const int64_t here = units_of(task, unit);
                                  if (begin < here && end > 0)
                                    body(task, std::max<int64_t>(begin, 0) * unit,
                                         std::min(end * unit, task.weight.rows), worker);
                                  begin -= here;
                                  end -= here;
                                }
                              });
  }
  static int64_t units_of(const LinearTask& task, int64_t unit) {
    return (task.weight.rows + unit - 1) / unit;
  }

  belay_status_t run_f32(Tasks tasks, const float* x, float* panels) const {
    return for_rows(tasks, kRowsF32,
                    [&](const LinearTask& task, int64_t begin, int64_t end, uint32_t worker) {
                      if (task.tokens == 1 && floats_.one_token != nullptr) {
                        floats_.one_token(task, x, begin, end);
                      } else {
                        float* own = panels == nullptr ? nullptr : panels + worker * kPanelFloatsF32;
                        floats_.more_tokens(task, x, begin, end, own);
                      }
                    });
  }

  belay_status_t run_quantised(Tasks tasks, const float* x, uint8_t* scratch) const {
    const auto tokens = static_cast<uint64_t>(tasks[0].tokens) * parts_;
    const Layout l = layout(tokens);
    const QuantisedWay& way = way_of(tokens);
    const QuantisedActivations activations = {scratch, reinterpret_cast<float*>(scratch + l.scale),
                                              reinterpret_cast<uint32_t*>(scratch + l.sum)};
    const belay_status_t status = quantise(tasks[0], x, way.activations, activations);
    if (status != BELAY_OK) return status;
    if (parts_ > 1) return run_in_parts(tasks[0], way, activations, scratch + l.products);
    return for_rows(tasks, way.unit, [&](const LinearTask& task, int64_t begin, int64_t end, uint32_t) {
      way.compute(task, activations, begin, end);
    });
  }

  belay_status_t run_in_pieces(const LinearTask& task, const float* x, uint8_t* scratch) const {
    for (int64_t at = 0; at < task.tokens; at += kTokensInParts) {
      const LinearTask piece = {weight_, bias_, std::min(kTokensInParts, task.tokens - at),
                                task.out + at * weight_.rows};
      const belay_status_t status = run_quantised({&piece, 1}, x + at * weight_.cols, scratch);
      if (status != BELAY_OK) return status;
    }
    return BELAY_OK;
  }

  belay_status_t run_in_parts(const LinearTask& task, const QuantisedWay& way,
                              const QuantisedActivations& activations, uint8_t* scratch) const {
    const LinearTask products = {weight_, nullptr, task.tokens * static_cast<int64_t>(parts_),
                                 reinterpret_cast<float*>(scratch)};
    return for_rows({&products, 1}, way.unit, [&](const LinearTask&, int64_t begin, int64_t end, uint32_t) {
      way.compute(products, activations, begin, end);
      add_parts(task, products.out, begin, end);
    });
  }

  belay_status_t quantise(const LinearTask& task, const float* x, const ActivationFormat& format,
                          const QuantisedActivations& to) const {
    const int64_t cols = weight_.cols;
    const double row_ns = kSlowness * static_cast<double>(cols) / 4;
    return host_.parallel_for(
        static_cast<uint64_t>(task.tokens), grain_for(row_ns), [&](uint64_t begin, uint64_t end, uint32_t) {
          for (auto t = static_cast<int64_t>(begin); t < static_cast<int64_t>(end); ++t) {
            if (parts_ > 1) {
              quantise_token_twice(x + t * cols, cols, 2 * t, 2 * task.tokens, format, to);
            } else {
              quantise_token(x + t * cols, cols, t, task.tokens, format, to);
            }
          }
        });
  }

  // out[t] = products[2t] + products[2t + 1] (+ bias) for the rows [begin, end).
  static void add_parts(const LinearTask& task, const float* products, int64_t begin, int64_t end) {
    const int64_t rows = task.weight.rows;
    for (int64_t t = 0; t < task.tokens; ++t) {
      const float* coarse = products + 2 * t * rows;
      const float* fine = coarse + rows;
      float* out = task.out + t * rows;
      for (int64_t r = begin; r < end; ++r) out[r] = coarse[r] + fine[r];
      if (task.bias == nullptr) continue;
      for (int64_t r = begin; r < end; ++r) out[r] += task.bias[r];
    }
  }

  sdk::Host host_;
  Weight weight_;
  const float* bias_;
  bool is_packed_;
  FloatWay floats_;
  QuantisedWay few_q8_;
  QuantisedWay many_q8_;
  bool quantised_;
  uint64_t parts_;  // tokens of 8 bits that stand for one
};

// Layers on the same x, such as q, k and v: x is quantised once, and the threads meet once.
class JoinedLinears final : public sdk::Kernel<JoinedLinears> {
 public:
  static constexpr uint64_t kMost = 4;

  void add(const Linear& layer) { layers_[count_++] = &layer; }
  [[nodiscard]] uint64_t count() const { return count_; }
  [[nodiscard]] bool takes(const Linear& layer) const {
    return count_ < kMost && layer.rows() > 0 && (count_ == 0 || layers_[0]->goes_with(layer));
  }

  [[nodiscard]] uint64_t workspace(uint64_t tokens) const override { return layers_[0]->workspace(tokens); }

  belay_status_t run(const belay_run_t& arguments) {
    Operands operands(arguments, count_, count_);
    const int64_t tokens = operands.tokens();
    const float* x = operands.floats(0, tokens, static_cast<uint64_t>(layers_[0]->cols()));
    std::array<LinearTask, kMost> tasks{};
    for (uint64_t i = 0; i < count_; ++i) {
      float* out = operands.out_floats(i, tokens, static_cast<uint64_t>(layers_[i]->rows()));
      tasks[i] = layers_[i]->task(tokens, out);
    }
    void* scratch = operands.workspace(workspace(static_cast<uint64_t>(tokens)));
    if (operands.status() != BELAY_OK || tokens == 0) return operands.status();
    return layers_[0]->compute({tasks.data(), count_}, x, scratch);
  }

 private:
  std::array<const Linear*, kMost> layers_{};
  uint64_t count_ = 0;
};

bool supports(const belay_op_t& op, sdk::Support& answer) {
  belay_linear_attributes_t attributes{};
  if (!has_operands(op, 1, 1, 2, 1, answer) || !read_attributes(op, attributes, answer)) return false;
  if (attributes.numerics < BELAY_NUMERICS_F32 || attributes.numerics > BELAY_NUMERICS_ACT_Q16) {
    return answer.no(BELAY_UNSUPPORTED, "unknown numerics %d", attributes.numerics);
  }
  const belay_tensor_t& weight = op.constants[0];
  if (unpack_rows(weight.dtype) == nullptr) {
    return answer.no(BELAY_UNSUPPORTED, "weight has dtype %d, which is no weight type", weight.dtype);
  }
  if (!linear_shapes_fit(op, answer)) return false;
  uint64_t bytes = 0;
  row_bytes(weight.dtype, weight.shape[1], bytes);
  const double ns =
      kSlowness * static_cast<double>(weight.shape[0]) * static_cast<double>(bytes) / kBytesPerNs;
  const bool unpacks = attributes.numerics == BELAY_NUMERICS_F32 && weight.dtype != BELAY_DTYPE_F32;
  answer.cost_ns = 500 + static_cast<uint64_t>(unpacks ? 1.5 * ns : ns);
  return true;
}

int32_t numerics_of(const belay_op_t& op) {
  return accepted_attributes<belay_linear_attributes_t>(op).numerics;
}

// The op's weight, its bytes at `data`.
Weight weight_of(const belay_op_t& op, const uint8_t* data) {
  const belay_tensor_t& w = op.constants[0];
  Weight weight{data, w.dtype, w.shape[0], w.shape[1], 0};
  row_bytes(w.dtype, w.shape[1], weight.row_bytes);
  return weight;
}

uint64_t packed_bytes(const belay_op_t& op) {
  const Packing packing = packing_of(weight_of(op, nullptr), numerics_of(op));
  return static_cast<uint64_t>(packing.groups) * packing.group_bytes;
}

belay_status_t pack(sdk::Host host, const belay_op_t& op, void* to) {
  constexpr uint64_t kBytesAtLeast = 64 << 10;  // of a thread's share
  const Weight weight = weight_of(op, constant_data(op.constants[0], "weight"));
  const Packing packing = packing_of(weight, numerics_of(op));
  return host.parallel_for(static_cast<uint64_t>(packing.groups), kBytesAtLeast / packing.group_bytes + 1,
                           [&](uint64_t begin, uint64_t end, uint32_t) {
                             packing.pack(weight, static_cast<int64_t>(begin), static_cast<int64_t>(end),
                                          static_cast<uint8_t*>(to));
                           });
}

sdk::KernelPtr make(sdk::Host host, const belay_op_t& op, const void* data, bool is_packed) {
  const Weight weight = weight_of(op, static_cast<const uint8_t*>(data));
  const belay_tensor_t* b = constant(op, 1);
  const auto* bias = b == nullptr ? nullptr : reinterpret_cast<const float*>(constant_data(*b, "bias"));
  return std::make_unique<Linear>(host, weight, bias, numerics_of(op), is_packed);
}

sdk::KernelPtr bind(sdk::Host host, const belay_op_t& op) {
  return make(host, op, constant_data(op.constants[0], "weight"), false);
}

sdk::KernelPtr bind_packed(sdk::Host host, const belay_op_t& op, const void* packed) {
  return make(host, op, packed, true);
}

}  // namespace

sdk::KernelPtr join_linears(const sdk::Sequence& steps, uint64_t& taken) {
  auto joined = std::make_unique<JoinedLinears>();
  for (uint64_t i = 0; i < steps.count() && steps.id(i) == BELAY_OP_LINEAR; ++i) {
    const auto& layer = steps.kernel<Linear>(i);
    if (steps[i].inputs[0] != steps[0].inputs[0] || !joined->takes(layer)) break;
    joined->add(layer);
  }
  if (joined->count() < 2) return nullptr;
  taken = joined->count();
  return joined;
}

constinit const OpRow kLinear = {BELAY_OP_LINEAR, &supports, &bind, &packed_bytes, &pack, &bind_packed};

}  // namespace belay::BELAY_ISA
