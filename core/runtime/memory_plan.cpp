#include "core/runtime/memory_plan.hpp"

#include "core/base/format.hpp"
#include "core/runtime/executor.hpp"
#include "core/runtime/session.hpp"
#include "core/runtime/weight_stream.hpp"

#include <algorithm>
#include <vector>

namespace belay::runtime {
namespace {

std::string mib(std::uint64_t bytes) { return format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20)); }

// What the matrices that can be streamed hold, from one layer on.
std::uint64_t streamable_bytes(const models::Decoder& decoder, std::size_t first_layer) {
  std::uint64_t bytes = 0;
  for (const graph::Node& node : decoder.body.nodes) {
    if (can_stream(decoder.body, node) && static_cast<std::size_t>(node.layer) >= first_layer)
      bytes += decoder.body.weights[node.weights[0]].data.size();
  }
  return bytes;
}

// Of all matrices that are to be made, and may be packed then.
std::uint64_t unmade_bytes(const models::Decoder& decoder) {
  std::uint64_t bytes = 0;
  for (const graph::Graph* graph : {&decoder.body, &decoder.head}) {
    for (const graph::Node& node : graph->nodes) {
      if (node.op != graph::Op::kLinear) continue;
      const graph::Weight& weight = graph->weights[node.weights[0]];
      bytes += weight.home == graph::Home::kUnmade ? weight.data.size() : 0;
    }
  }
  return bytes;
}

// What each layer's matrices take in a ring, from one layer on.
std::vector<memory::LayerBytes> layer_bytes(const models::Decoder& decoder, std::size_t first_layer) {
  std::vector<memory::LayerBytes> layers(decoder.config.n_layers);
  for (const graph::Node& node : decoder.body.nodes) {
    if (!can_stream(decoder.body, node) || static_cast<std::size_t>(node.layer) < first_layer) continue;
    const std::uint64_t bytes = decoder.body.weights[node.weights[0]].data.size() + WeightStream::kRoomAround;
    memory::LayerBytes& layer = layers[static_cast<std::size_t>(node.layer)];
    layer.all += bytes;
    layer.largest = std::max(layer.largest, bytes);
  }
  return layers;
}

// The tries of one plan.
class Fit {
 public:
  Fit(const models::Model& model, const MemoryUse& use, std::uint64_t context, const MemoryOptions& options)
      : model_(model), options_(options), layers_(layer_bytes(model.decoder, options.device_layers)) {
    plan_.context = context;
    plan_.head_rows = options.head_rows;
    plan_.cache = model.decoder.cache;
    plan_.whole = plan_.use = use;
    if (options.may_stream) plan_.layer_bytes = layers_;
    streamable_ = streamable_bytes(model.decoder, options.device_layers);
    if (model.vision) image_bytes_ = scratch_bytes(model.vision->graph, options.image_patches);
    chunks_ = {std::min(options.most_chunk, context)};
    while (chunks_.back() / 2 >= kLeastChunk) chunks_.push_back(chunks_.back() / 2);
  }

  // Everything stays in memory, with the largest step for which it fits the limit.
  bool whole() {
    plan_.layers = {layers_.size(), 0, 0, 0};
    for (const memory::LayerBytes& layer : layers_) plan_.layers.pinned_bytes += layer.all;
    for (const std::uint64_t chunk : chunks_) {
      set_chunk(chunk);
      plan_.may_pack_made = fits(unmade_bytes(model_.decoder));
      if (fits(0)) return true;
    }
    return false;
  }

  // Some layers are streamed. A prompt reads them once a step, so the step stays large unless memory is to be
  // saved.
  bool in_part() {
    if (!options_.may_stream) return false;
    std::vector<std::uint64_t> chunks = chunks_;
    if (options_.save_memory) std::reverse(chunks.begin(), chunks.end());
    for (const std::uint64_t chunk : chunks) {
      set_chunk(chunk);
      const std::uint64_t fixed = plan_.use.total() - std::min(plan_.use.total(), streamable_);
      if (streamable_ == 0 || fixed >= *options_.memory_limit) continue;
      const auto placement = memory::pin_layers(layers_, *options_.memory_limit - fixed);
      if (!placement.ok()) continue;
      plan_.layers = *placement;
      plan_.use.weights_bytes -=
          std::min(plan_.use.weights_bytes, streamable_bytes(model_.decoder, placement->pinned));
      plan_.use.ring_bytes = placement->ring_bytes;
      return true;
    }
    return false;
  }

  [[nodiscard]] bool cache_takes_most() const { return plan_.use.kv_bytes > *options_.memory_limit / 2; }

  // From here on the KV cache is on the disk, if that saves memory.
  void spill() {
    const models::DecoderConfig& config = model_.decoder.config;
    const memory::KvCacheShape shape = {config.n_layers, config.n_kv_heads, config.head_dim, plan_.context,
                                        plan_.cache};
    const auto in_memory = KvStream::memory_bytes(shape);
    const auto on_disk = memory::kv_cache_bytes(shape);
    if (!options_.may_stream || !in_memory || !on_disk || *in_memory >= plan_.use.kv_bytes) return;
    plan_.use.kv_bytes = *in_memory;
    plan_.kv_spilled_bytes = *on_disk;
  }

  // Whether that much more than the plan has fits the limit.
  [[nodiscard]] bool fits(std::uint64_t more) const {
    return !options_.memory_limit || plan_.use.total() + more <= *options_.memory_limit;
  }

  // What did not fit: with the smallest step.
  [[nodiscard]] Error refusal() {
    set_chunk(*std::min_element(chunks_.begin(), chunks_.end()));
    return fail(ErrorCode::kOutOfMemory,
                "the plan needs {}, more than the {}: {}; raise --memory-limit, shorten the "
                "context or take a smaller model",
                mib(plan_.use.total()),
                options_.limit_is_set
                    ? format("limit of {}", mib(*options_.memory_limit))
                    : format("{} that this machine has to give", mib(*options_.memory_limit)),
                memory_text(plan_));
  }

  [[nodiscard]] const MemoryPlan& plan() const { return plan_; }

 private:
  // Image features, and scratch of both graphs. An image cannot be shrunk: it is encoded whole.
  void set_chunk(std::uint64_t chunk) {
    const models::DecoderConfig& config = model_.decoder.config;
    const bool sees_images = config.takes_images && options_.image_patches > 0;  // else their rows stay zero
    const std::uint64_t image_levels = sees_images ? std::uint64_t{1} + config.n_deepstack : 0;
    plan_.chunk = chunk;
    plan_.use.scratch_bytes = scratch_bytes(model_.decoder.body, chunk) +
                              scratch_bytes(model_.decoder.head, plan_.head_rows) +
                              image_levels * chunk * config.width * sizeof(float) + image_bytes_;
  }

  const models::Model& model_;
  const MemoryOptions& options_;
  std::vector<memory::LayerBytes> layers_;
  std::uint64_t streamable_ = 0;  // of all of them, without the room around
  std::uint64_t image_bytes_ = 0;
  std::vector<std::uint64_t> chunks_;  // worth trying, most tokens first
  MemoryPlan plan_;
};

}  // namespace

Result<MemoryPlan> plan_memory(const models::Model& model, const MemoryUse& use, std::uint64_t context,
                               const MemoryOptions& options) {
  Fit fit(model, use, context, options);
  if (fit.whole() || (!fit.cache_takes_most() && fit.in_part())) return fit.plan();
  fit.spill();
  if (fit.whole() || fit.in_part()) return fit.plan();
  return fit.refusal();
}

std::string memory_text(const MemoryPlan& plan) {
  std::string text = format(
      "weights {} + KV cache {} ({} positions, {}) + scratch {} ({} tokens a step) + workspace and packed "
      "weights {}",
      mib(plan.use.weights_bytes), mib(plan.use.kv_bytes), plan.context, to_string(plan.cache),
      mib(plan.use.scratch_bytes), plan.chunk, mib(plan.use.packed_bytes));
  if (plan.use.ring_bytes > 0) text += format(" + ring of streamed weights {}", mib(plan.use.ring_bytes));
  if (plan.use.program_bytes > 0) text += format(" + program {}", mib(plan.use.program_bytes));
  text += format(" = {}", mib(plan.use.total()));
  if (plan.layers.streamed_bytes > 0) {
    text += format("; layers from {} on are streamed, {} a pass", plan.layers.pinned,
                   mib(plan.layers.streamed_bytes));
  }
  if (plan.kv_spilled_bytes > 0)
    text += format("; the KV cache is spilled, up to {} on the disk", mib(plan.kv_spilled_bytes));
  return text;
}

}  // namespace belay::runtime
