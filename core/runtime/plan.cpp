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

}  // namespace

DType cache_dtype(std::span<const std::string> optimizations) {
  return contains(optimizations, kKvF16) ? DType::kF16 : DType::kF32;
}

std::int32_t numerics_of(const std::string& plugin, std::span<const std::string> optimizations) {
  return contains(optimizations, plugin + "/act_q8") ? BELAY_NUMERICS_ACT_Q8 : BELAY_NUMERICS_F32;
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
  const auto chains_of = [&](const graph::Graph& graph) -> Result<dispatch::Chains> {
    dispatch::Chains chains = dispatch::build_chains(graph, selected);
    BELAY_TRY(check_chains(graph, chains));
    dispatch::add_chains(plan.chains, graph, chains, selected);
    return chains;
  };
  BELAY_TRY_ASSIGN(plan.body_chains, chains_of(decoder.body));
  BELAY_TRY_ASSIGN(plan.head_chains, chains_of(decoder.head));
  if (model.vision) {
    BELAY_TRY_ASSIGN(plan.vision_chains, chains_of(model.vision->graph));
  }
  plan.placement = place_layers(decoder.body, head_ids(plan.body_chains, selected));
  const auto kv =
      memory::kv_cache_bytes({config.n_layers, config.n_kv_heads, config.head_dim, context, decoder.cache});
  if (!kv)
    return fail(ErrorCode::kOutOfMemory, "a KV cache of {} positions is larger than memory can be", context);
  MemoryUse use;
  use.program_bytes = options.program_bytes;
  use.weights_bytes = weights_bytes;
  use.kv_bytes = *kv;
  BELAY_TRY_ASSIGN(plan.memory, plan_memory(model, use, context, options));
  return plan;
}

}  // namespace belay::runtime
