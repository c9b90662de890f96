#include "core/runtime/plan.hpp"

#include "core/base/format.hpp"
#include "core/memory/kv_cache.hpp"
#include "core/runtime/core_optimizations.hpp"

#include <algorithm>

namespace belay::runtime {
namespace {

bool contains(std::span<const std::string> ids, std::string_view id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

Result<std::uint64_t> choose_context(const models::DecoderConfig& config, std::uint64_t wanted) {
  if (wanted == 0) return std::min<std::uint64_t>(config.context_length, kUsualContext);
  if (wanted <= config.context_length) return wanted;
  return fail(
      ErrorCode::kBadInput,
      "{} positions are wanted, but the model's context is {}; shorten the prompt, --max-tokens or --context",
      wanted, config.context_length);
}

Status check_chains(const graph::Graph& graph, const dispatch::Chains& chains) {
  for (std::size_t i = 0; i < chains.size(); ++i) {
    if (!chains[i].empty()) continue;
    const graph::Node& node = graph.nodes[i];
    return fail(
        ErrorCode::kNoPlugin,
        "no selected plugin offers {} for {} ({}); see `belay probe` for the plugins that were refused",
        graph::op_name(node.op), to_string(graph::grouping_dtype(graph, node)), node.name);
  }
  return {};
}

std::vector<std::string> head_ids(const dispatch::Chains& chains,
                                  std::span<const manifest::Manifest* const> selected) {
  std::vector<std::string> ids;
  for (const auto& chain : chains) ids.push_back(selected[chain.front()]->id);
  return ids;
}

// What a plugin keeps free of a device's memory, by the rule of cuda_sm61.
std::uint64_t reserve_of(std::uint64_t bytes) {
  constexpr std::uint64_t kLeast = std::uint64_t{128} << 20U;
  constexpr std::uint64_t kPercent = 8;
  return std::max(kLeast, bytes / 100 * kPercent);
}

// As the engine places layers on a device, but by what the manifests and the model's file say.
class ByManifests {
 public:
  ByManifests(const models::Model& model, std::span<const manifest::Manifest* const> selected, Plan& plan)
      : model_(model), selected_(selected), plan_(plan) {}

  void place(std::uint64_t gpu_bytes, const DeviceRequest& request) {
    const auto needs_gpu = [](const manifest::Manifest* manifest) {
      return manifest->requires_.gpu.has_value();
    };
    const auto found = std::find_if(selected_.begin(), selected_.end(), needs_gpu);
    if (found == selected_.end()) return;
    plugin_ = static_cast<std::uint8_t>(found - selected_.begin());
    DeviceOffer offer = {(*found)->id,
                         gpu_bytes - std::min(gpu_bytes, reserve_of(gpu_bytes)),
                         shares(model_.decoder.body, plan_.body_chains),
                         shares(model_.decoder.head, plan_.head_chains),
                         {}};
    if (model_.vision) offer.vision = shares(model_.vision->graph, plan_.vision_chains);
    const DeviceUse use = place_on_device(model_, offer, request);
    keep(model_.decoder.body, plan_.body_chains,
         [&](const auto& node) { return stays_on_device(use, node); });
    keep(model_.decoder.head, plan_.head_chains, [&](const auto&) { return use.head; });
    if (model_.vision)
      keep(model_.vision->graph, plan_.vision_chains, [&](const auto&) { return use.vision; });
    plan_.device = use;
  }

 private:
  [[nodiscard]] std::vector<NodeShare> shares(const graph::Graph& graph,
                                              const dispatch::Chains& chains) const {
    std::vector<NodeShare> nodes;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      NodeShare& node = nodes.emplace_back();
      node.headed = !chains[i].empty() && chains[i].front() == plugin_;
      for (const graph::WeightId id : graph.nodes[i].weights) node.bytes += graph.weights[id].data.size();
    }
    return nodes;
  }

  template <class Stays>
  void keep(const graph::Graph& graph, dispatch::Chains& chains, Stays stays) const {
    for (std::size_t i = 0; i < chains.size(); ++i) {
      if (!stays(graph.nodes[i])) std::erase(chains[i], plugin_);
    }
  }

  const models::Model& model_;
  std::span<const manifest::Manifest* const> selected_;
  Plan& plan_;
  std::uint8_t plugin_ = 0;
};

}  // namespace

DType cache_dtype(std::span<const std::string> optimizations, std::uint32_t head_dim) {
  const bool q8 = contains(optimizations, kKvQ8);
  if (q8 && row_bytes(DType::kQ8_0, head_dim)) return DType::kQ8_0;
  return q8 || contains(optimizations, kKvF16) ? DType::kF16 : DType::kF32;
}

std::int32_t numerics_of(const std::string& plugin, std::span<const std::string> optimizations) {
  return contains(optimizations, plugin + "/act_q8") ? BELAY_NUMERICS_ACT_Q8 : BELAY_NUMERICS_F32;
}

void make_room(const DeviceUse& device, MemoryUse& use, MemoryOptions& options) {
  use.weights_bytes -= std::min(use.weights_bytes, device.replaced_bytes);
  use.kv_bytes -= std::min(use.kv_bytes, device.kv_bytes);
  options.device_layers = device.layers;
  options.most_chunk = device.chunk;
}

std::vector<Placement> place_layers(const graph::Graph& body, std::span<const std::string> heads) {
  std::vector<Placement> placement;
  for (std::size_t i = 0; i < body.nodes.size(); ++i) {
    const graph::Node& node = body.nodes[i];
    if (node.op != graph::Op::kAttention) continue;
    if (!placement.empty() && placement.back().plugin == heads[i]) {
      placement.back().last_layer = node.layer;
    } else {
      placement.push_back({node.layer, node.layer, heads[i]});
    }
  }
  return placement;
}

Result<Plan> make_plan(const models::Model& model, std::uint64_t weights_bytes,
                       std::span<const manifest::Manifest* const> selected, const PlanOptions& options) {
  const models::Decoder& decoder = model.decoder;
  const models::DecoderConfig& config = decoder.config;
  Plan plan;
  BELAY_TRY_ASSIGN(const std::uint64_t context, choose_context(config, options.context));
  plan.body_chains = dispatch::build_chains(decoder.body, selected);
  plan.head_chains = dispatch::build_chains(decoder.head, selected);
  if (model.vision) plan.vision_chains = dispatch::build_chains(model.vision->graph, selected);
  PlanOptions memory = options;
  if (options.gpu_bytes) {
    ByManifests(model, selected, plan)
        .place(*options.gpu_bytes, {context, std::min(kMostChunk, context), options.image_patches, false});
  }
  const auto settle = [&](const graph::Graph& graph, const dispatch::Chains& chains) -> Status {
    BELAY_TRY(check_chains(graph, chains));
    dispatch::add_chains(plan.chains, graph, chains, selected);
    return {};
  };
  BELAY_TRY(settle(decoder.body, plan.body_chains));
  BELAY_TRY(settle(decoder.head, plan.head_chains));
  if (model.vision) BELAY_TRY(settle(model.vision->graph, plan.vision_chains));
  plan.placement = place_layers(decoder.body, head_ids(plan.body_chains, selected));
  const auto kv =
      memory::kv_cache_bytes({config.n_layers, config.n_kv_heads, config.head_dim, context, decoder.cache});
  if (!kv)
    return fail(ErrorCode::kOutOfMemory, "a KV cache of {} positions is larger than memory can be", context);
  MemoryUse use;
  use.program_bytes = options.program_bytes;
  use.weights_bytes = weights_bytes;
  use.kv_bytes = *kv;
  if (plan.device) make_room(*plan.device, use, memory);
  BELAY_TRY_ASSIGN(plan.memory, plan_memory(model, use, context, memory));
  return plan;
}

}  // namespace belay::runtime
